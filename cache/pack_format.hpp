#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

/// The bytes of a pack: header, buckets, records, then the manifests and the compressed cubins that records point to.
/// Numbers are little endian; docs/cache.md is the reference.
namespace flashbias::cache::pack {

static_assert(std::endian::native == std::endian::little, "packs are read and written as they lie in memory");

using Checksum = std::uint64_t;  ///< the first 8 bytes of a SHA-256
using Digest = std::array<unsigned char, 32>;

inline constexpr std::array<char, 8> kMagic{'\x93', 'F', 'B', 'P', 'A', 'C', 'K', '\n'};
inline constexpr unsigned kMaxBucketBits = 24;

struct Header {
  std::array<char, 8> magic = kMagic;
  std::uint32_t format_version = 0;
  std::uint32_t bucket_bits = 0;
  std::uint64_t count = 0;
  std::uint64_t file_bytes = 0;
  std::array<std::uint64_t, 3> reserved{};
  Checksum checksum = 0;  ///< of the fields before
};
static_assert(sizeof(Header) == 64);

/// One cubin. Records are sorted by source key; bucket b, the first bucket_bits bits of a source key, is the records
/// from buckets[b] up to buckets[b + 1].
struct Record {
  Digest source_key{};
  Digest cubin_sha256{};
  std::array<unsigned char, 16> config{};  ///< first half of the SHA-256 of the config's text
  std::uint64_t manifest_offset = 0;
  std::uint64_t cubin_offset = 0;
  std::uint32_t manifest_bytes = 0;
  std::uint32_t packed_bytes = 0;
  std::uint32_t cubin_bytes = 0;
  std::uint32_t reserved = 0;
  Checksum manifest_checksum = 0;
  Checksum checksum = 0;  ///< of the fields before
};
static_assert(sizeof(Record) == 128);

using Bucket = std::uint32_t;

[[nodiscard]] Checksum checksum_of(std::span<const std::byte> bytes);
/// Of the fields before `checksum`, its last field.
template <class Fields>
[[nodiscard]] Checksum checksum_of_fields(const Fields& fields) {
  return checksum_of(std::as_bytes(std::span(&fields, 1)).first(sizeof(Fields) - sizeof(Checksum)));
}

/// 64 hex digits to bytes, and back. Throws Error(cache) for other text.
[[nodiscard]] Digest to_digest(std::string_view hex);
[[nodiscard]] std::string to_hex(const Digest& digest);
[[nodiscard]] std::array<unsigned char, 16> config_digest(const std::string& config);

[[nodiscard]] std::size_t bucket_of(const Digest& source_key, unsigned bucket_bits);
[[nodiscard]] std::size_t bucket_count(unsigned bucket_bits);

}  // namespace flashbias::cache::pack
