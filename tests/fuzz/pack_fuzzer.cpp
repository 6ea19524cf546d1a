#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "cache/pack_reader.hpp"
#include "flashbias/error.hpp"
#include "flashbias/pack.hpp"
#include "tests/cache/sample_entry.hpp"

// Any bytes, read as a pack: they open or give a flashbias::Error, and so does all that is looked up in them. What is
// unpacked is what its checksum says. The checksums that guard the index are made right before, or nothing behind them
// would ever be reached.
namespace {

using namespace flashbias;
using namespace flashbias::cache;

/// Makes the bytes' header one of this version and size, and its checksum and those of the first records right.
void reseal(std::vector<std::byte>& bytes) {
  pack::Header header;
  if (bytes.size() < sizeof(header)) return;
  std::memcpy(&header, bytes.data(), sizeof(header));
  header.magic = pack::kMagic;
  header.format_version = kFormatVersion;
  header.file_bytes = bytes.size();
  header.checksum = pack::checksum_of_fields(header);
  std::memcpy(bytes.data(), &header, sizeof(header));
  if (header.bucket_bits > 8) return;
  constexpr std::uint64_t kSealed = 8;
  const std::size_t first = sizeof(header) + (pack::bucket_count(header.bucket_bits) + 1) * sizeof(pack::Bucket);
  for (std::size_t i = 0; i < std::min(header.count, kSealed); ++i) {
    const std::size_t at = first + i * sizeof(pack::Record);
    pack::Record record;
    if (at + sizeof(record) > bytes.size()) return;
    std::memcpy(&record, bytes.data() + at, sizeof(record));
    const bool inside =
        record.manifest_offset <= bytes.size() && record.manifest_bytes <= bytes.size() - record.manifest_offset;
    if (inside) {
      record.manifest_checksum =
          pack::checksum_of(std::span(bytes).subspan(record.manifest_offset, record.manifest_bytes));
    }
    record.checksum = pack::checksum_of_fields(record);
    std::memcpy(bytes.data() + at, &record, sizeof(record));
  }
}

void read_all(const pack::Reader& reader) {
  for (std::size_t i = 0; i < std::min<std::size_t>(reader.size(), 64); ++i) {
    try {
      const pack::Record record = reader.record(i);
      (void)reader.find(record.source_key);
      const Manifest manifest = reader.manifest(record);
      (void)reader.find_config(manifest.config);
      const auto image = reader.cubin(record, manifest);
      if (sha256_hex(image.data(), image.size()) == manifest.cubin_sha256) continue;
      std::fprintf(stderr, "a cubin came out that is not what its manifest says\n");
      std::abort();
    } catch (const Error&) {
      continue;
    }
  }
}

void read(std::span<const std::byte> bytes) {
  try {
    read_all(pack::Reader(bytes));
  } catch (const Error&) {
    return;
  }
}

}  // namespace

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

/// Begins with sound packs, which mutations then damage.
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned seed) {
  if (size < sizeof(pack::Header)) {
    PackWriter writer;
    for (unsigned i = 0; i <= seed % 5; ++i) writer.add(testing::sample_entry(std::to_string(i)));
    const std::string bytes = writer.bytes();
    if (bytes.size() <= max_size) {
      std::memcpy(data, bytes.data(), bytes.size());
      size = bytes.size();
    }
  }
  return LLVMFuzzerMutate(data, size, max_size);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto* bytes = reinterpret_cast<const std::byte*>(data);
  read({bytes, size});
  std::vector<std::byte> sealed(bytes, bytes + size);
  reseal(sealed);
  read(sealed);
  return 0;
}
