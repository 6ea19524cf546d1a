#include "cache/pack_reader.hpp"

#include <fmt/format.h>
#include <zstd.h>

#include <algorithm>
#include <cstring>

#include "cache/cubin_header.hpp"
#include "cache/limits.hpp"
#include "flashbias/error.hpp"

namespace flashbias::cache::pack {
namespace {

[[noreturn]] void reject(const std::string& problem) { throw Error(ErrorCode::cache, problem); }

Header read_header(std::span<const std::byte> bytes) {
  Header header;
  if (bytes.size() < sizeof(header)) reject(fmt::format("has {} bytes and so is no pack", bytes.size()));
  std::memcpy(&header, bytes.data(), sizeof(header));
  if (header.magic != kMagic)
    reject("is no pack: it does not begin as one does; make one with `flashbias precompile --pack`");
  if (header.checksum != checksum_of_fields(header)) reject("has a damaged header: its checksum does not match");
  if (header.format_version != static_cast<std::uint32_t>(kFormatVersion)) {
    reject(
        fmt::format("has format version {}, this flashbias reads {}; make it anew with `flashbias precompile --pack`",
                    header.format_version, kFormatVersion));
  }
  if (header.file_bytes != bytes.size()) {
    reject(fmt::format("has {} bytes, expected {}: it was cut off or added to; copy it again", bytes.size(),
                       header.file_bytes));
  }
  return header;
}

}  // namespace

Reader::Reader(std::span<const std::byte> bytes) : bytes_(bytes) {
  const Header header = read_header(bytes);
  bucket_bits_ = header.bucket_bits;
  const bool sane = header.bucket_bits <= kMaxBucketBits && header.count <= bytes.size() / sizeof(Record);
  const std::uint64_t index_bytes =
      sane ? (bucket_count(bucket_bits_) + 1) * sizeof(Bucket) + header.count * sizeof(Record) : bytes.size();
  if (index_bytes > bytes.size() - sizeof(Header)) reject("has an index that is larger than itself");
  count_ = static_cast<std::size_t>(header.count);
}

Bucket Reader::bucket(std::size_t index) const {
  Bucket first = 0;
  std::memcpy(&first, bytes_.data() + sizeof(Header) + index * sizeof(Bucket), sizeof(first));
  return first;
}

Record Reader::record(std::size_t index) const {
  Record record;
  const std::size_t records = sizeof(Header) + (bucket_count(bucket_bits_) + 1) * sizeof(Bucket);
  std::memcpy(&record, bytes_.data() + records + index * sizeof(Record), sizeof(record));
  return record;
}

std::optional<Record> Reader::find(const Digest& source_key) const {
  const std::size_t bucket_index = bucket_of(source_key, bucket_bits_);
  std::size_t first = bucket(bucket_index);
  std::size_t last = bucket(bucket_index + 1);
  if (first > last || last > count_) reject("has a damaged index");
  while (first < last) {
    const std::size_t middle = first + (last - first) / 2;
    const Record candidate = record(middle);
    if (candidate.source_key == source_key) return candidate;
    if (candidate.source_key < source_key) {
      first = middle + 1;
    } else {
      last = middle;
    }
  }
  return std::nullopt;
}

std::optional<Record> Reader::find_config(const std::string& config) const {
  const auto wanted = config_digest(config);
  for (std::size_t i = 0; i < count_; ++i) {
    if (Record candidate = record(i); candidate.config == wanted) return candidate;
  }
  return std::nullopt;
}

void Reader::check_buckets() const {
  std::size_t expected = 0;
  for (std::size_t i = 0; i <= bucket_count(bucket_bits_); ++i) {
    while (expected < count_ && bucket_of(record(expected).source_key, bucket_bits_) < i) ++expected;
    if (bucket(i) == expected) continue;
    reject(fmt::format("has a damaged index: bucket {} begins with record {}, expected {}", i, bucket(i), expected));
  }
}

std::span<const std::byte> Reader::part(std::uint64_t offset, std::uint64_t size, const char* what) const {
  if (offset > bytes_.size() || size > bytes_.size() - offset) reject(fmt::format("{} lies outside the file", what));
  return bytes_.subspan(static_cast<std::size_t>(offset), static_cast<std::size_t>(size));
}

Manifest Reader::manifest(const Record& record) const {
  if (record.checksum != checksum_of_fields(record)) reject("its record in the index is damaged");
  if (record.manifest_bytes > kMaxManifestBytes) reject("its manifest is too large");
  const auto text = part(record.manifest_offset, record.manifest_bytes, "its manifest");
  if (checksum_of(text) != record.manifest_checksum) reject("its manifest is damaged: the checksum does not match");
  return parse_manifest(std::string(reinterpret_cast<const char*>(text.data()), text.size()));
}

std::vector<std::byte> Reader::cubin(const Record& record, const Manifest& manifest) const {
  const auto packed = part(record.cubin_offset, record.packed_bytes, "its cubin");
  // Both before any memory is taken for it.
  const bool plausible = record.cubin_bytes == manifest.cubin_bytes && record.cubin_bytes <= kMaxCubinBytes &&
                         ZSTD_getFrameContentSize(packed.data(), packed.size()) == record.cubin_bytes;
  if (!plausible) reject("its cubin has another size than its manifest says");
  std::vector<std::byte> image(record.cubin_bytes);
  const std::size_t unpacked = ZSTD_decompress(image.data(), image.size(), packed.data(), packed.size());
  if (ZSTD_isError(unpacked) != 0 || unpacked != image.size()) reject("its cubin cannot be unpacked");
  const std::string sha256 = sha256_hex(image.data(), image.size());
  if (sha256 != to_hex(record.cubin_sha256) || sha256 != manifest.cubin_sha256) {
    reject("its cubin is damaged: the SHA-256 does not match");
  }
  check_cubin_header(image, manifest.arch);
  return image;
}

}  // namespace flashbias::cache::pack
