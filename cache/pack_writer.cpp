#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include <bit>
#include <cerrno>

#include "cache/cubin_header.hpp"
#include "cache/entry_directory.hpp"
#include "cache/entry_name.hpp"
#include "cache/file_descriptor.hpp"
#include "cache/limits.hpp"
#include "cache/pack_format.hpp"
#include "flashbias/error.hpp"
#include "flashbias/pack.hpp"

namespace flashbias::cache {
namespace {

std::string compress(std::span<const std::byte> data) {
  constexpr int kLevel = 19;  // packs are made once and read often; reading is as fast at any level
  std::string packed(ZSTD_compressBound(data.size()), '\0');
  const std::size_t size = ZSTD_compress(packed.data(), packed.size(), data.data(), data.size(), kLevel);
  if (ZSTD_isError(size) != 0) {
    throw Error(ErrorCode::cache, fmt::format("cannot compress a cubin: {}", ZSTD_getErrorName(size)));
  }
  packed.resize(size);
  return packed;
}

template <class Fields>
void append(std::string& bytes, const Fields& fields) {
  bytes.append(reinterpret_cast<const char*>(&fields), sizeof(fields));
}

/// The directory of a pack that is to be written. A pack is published by a rename, which leaves nothing of its own to
/// lock; so whoever writes one locks its directory, which lasts until the object goes or the process dies. On a file
/// system without such locks nobody waits.
FileDescriptor locked_directory_of(const std::filesystem::path& path) {
  FileDescriptor directory(open(path.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.is_open()) throw_errno("open its directory");
  while (flock(directory.get(), LOCK_EX) != 0 && errno == EINTR) {
  }
  return directory;
}

void publish(const FileDescriptor& directory, const std::string& name, const std::string& contents) {
  const std::string unfinished = unique_name(name, kUnfinished);
  try {
    write_file(directory, unfinished.c_str(), contents.data(), contents.size());
    const bool published = fchmodat(directory.get(), unfinished.c_str(), 0444, 0) == 0 &&
                           rename_at(directory, unfinished.c_str(), name.c_str());
    if (!published) throw_errno("rename it to its place");
  } catch (const Error&) {
    unlinkat(directory.get(), unfinished.c_str(), 0);
    throw;
  }
  synchronise(directory);
}

/// What `write` throws where it cannot.
template <class Write>
void written(const std::filesystem::path& path, Write write) {
  try {
    write(std::filesystem::absolute(path));
  } catch (const Error& error) {
    throw Error(ErrorCode::cache, fmt::format("cannot write the pack {}: {}", path.string(), error.what()));
  }
}

unsigned bucket_bits_for(std::size_t count) {
  return std::min(pack::kMaxBucketBits, count < 2 ? 0U : static_cast<unsigned>(std::bit_width(count - 1)));
}

}  // namespace

bool PackWriter::add(const std::string& source_key, const Manifest& manifest, std::span<const std::byte> cubin) {
  if (cubins_.contains(source_key)) return false;
  (void)pack::to_digest(source_key);
  check_cubin_header(cubin, manifest.arch);
  Manifest timeless = manifest;
  timeless.compile_ms = 0;
  cubins_.emplace(source_key, Packed{.manifest = to_json(timeless),
                                     .config = manifest.config,
                                     .cubin_sha256 = sha256_hex(cubin.data(), cubin.size()),
                                     .cubin_bytes = cubin.size(),
                                     .cubin = compress(cubin)});
  return true;
}

bool PackWriter::add(const Entry& entry) {
  check_entry(entry);
  const KeyInputs inputs{.source = entry.source,
                         .options = entry.manifest.options,
                         .arch = entry.manifest.arch,
                         .compiler_version = entry.manifest.compiler_version};
  return add(make_source_key(inputs), entry.manifest, entry.cubin);
}

std::size_t PackWriter::add(const Pack& pack) {
  std::size_t known = 0;
  for (const auto& status : pack.list()) {
    if (!status.manifest) throw Error(ErrorCode::cache, fmt::format("{}: {}", pack.path().string(), status.problem));
    Miss why;
    const auto cubin = pack.load(status.source_key, status.manifest->config, &why);
    if (!cubin) {
      throw Error(ErrorCode::cache,
                  fmt::format("{}: `{}`: {}", pack.path().string(), status.manifest->config, why.detail));
    }
    known += add(cubin->source_key, cubin->manifest, cubin->image) ? 0 : 1;
  }
  return known;
}

std::string PackWriter::bytes() const {
  pack::Header header;
  header.format_version = kFormatVersion;
  header.bucket_bits = bucket_bits_for(cubins_.size());
  header.count = cubins_.size();

  std::vector<pack::Bucket> buckets(pack::bucket_count(header.bucket_bits) + 1);
  std::vector<pack::Record> records;
  std::uint64_t offset = sizeof(header) + buckets.size() * sizeof(pack::Bucket) + cubins_.size() * sizeof(pack::Record);
  for (const auto& [source_key, packed] : cubins_) {
    pack::Record record;
    record.source_key = pack::to_digest(source_key);
    record.cubin_sha256 = pack::to_digest(packed.cubin_sha256);
    record.config = pack::config_digest(packed.config);
    record.manifest_offset = offset;
    record.manifest_bytes = static_cast<std::uint32_t>(packed.manifest.size());
    record.cubin_offset = offset + packed.manifest.size();
    record.packed_bytes = static_cast<std::uint32_t>(packed.cubin.size());
    record.cubin_bytes = static_cast<std::uint32_t>(packed.cubin_bytes);
    record.manifest_checksum = pack::checksum_of(std::as_bytes(std::span(packed.manifest)));
    record.checksum = pack::checksum_of_fields(record);
    offset = record.cubin_offset + packed.cubin.size();
    records.push_back(record);
    ++buckets[pack::bucket_of(record.source_key, header.bucket_bits) + 1];
  }
  for (std::size_t i = 1; i < buckets.size(); ++i) buckets[i] += buckets[i - 1];
  header.file_bytes = offset;
  header.checksum = pack::checksum_of_fields(header);

  std::string bytes;
  bytes.reserve(offset);
  append(bytes, header);
  for (const auto bucket : buckets) append(bytes, bucket);
  for (const auto& record : records) append(bytes, record);
  for (const auto& [source_key, packed] : cubins_) bytes += packed.manifest + packed.cubin;
  return bytes;
}

void PackWriter::write(const std::filesystem::path& path) const {
  written(path, [&](const std::filesystem::path& absolute) {
    const std::string contents = bytes();
    publish(locked_directory_of(absolute), absolute.filename().string(), contents);
  });
}

void PackWriter::write_with_earlier(const std::filesystem::path& path) {
  written(path, [&](const std::filesystem::path& absolute) {
    const FileDescriptor directory = locked_directory_of(absolute);
    if (std::filesystem::exists(absolute)) add(Pack(absolute));
    publish(directory, absolute.filename().string(), bytes());
  });
}

}  // namespace flashbias::cache
