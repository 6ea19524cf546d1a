#include "cache/pack_format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "cache/entry_name.hpp"
#include "flashbias/cache.hpp"
#include "flashbias/error.hpp"

namespace flashbias::cache::pack {
namespace {

unsigned char digit(char character) {
  return static_cast<unsigned char>(character <= '9' ? character - '0' : character - 'a' + 10);
}

}  // namespace

Checksum checksum_of(std::span<const std::byte> bytes) {
  const Digest digest = to_digest(sha256_hex(bytes.data(), bytes.size()));
  Checksum checksum = 0;
  std::memcpy(&checksum, digest.data(), sizeof(checksum));
  return checksum;
}

Digest to_digest(std::string_view hex) {
  if (!is_key(hex)) throw Error(ErrorCode::cache, fmt::format("'{}' is no SHA-256: expected 64 hex digits", hex));
  Digest digest{};
  for (std::size_t i = 0; i < digest.size(); ++i) {
    digest.at(i) = static_cast<unsigned char>(digit(hex[2 * i]) << 4U | digit(hex[2 * i + 1]));
  }
  return digest;
}

std::string to_hex(const Digest& digest) {
  std::string hex;
  for (const unsigned char byte : digest) fmt::format_to(std::back_inserter(hex), "{:02x}", byte);
  return hex;
}

std::array<unsigned char, 16> config_digest(const std::string& config) {
  const Digest digest = to_digest(sha256_hex(config.data(), config.size()));
  std::array<unsigned char, 16> half{};
  std::copy_n(digest.begin(), half.size(), half.begin());
  return half;
}

std::size_t bucket_of(const Digest& source_key, unsigned bucket_bits) {
  const std::uint32_t prefix = std::uint32_t{source_key[0]} << 24U | std::uint32_t{source_key[1]} << 16U |
                               std::uint32_t{source_key[2]} << 8U | std::uint32_t{source_key[3]};
  return static_cast<std::size_t>(std::uint64_t{prefix} >> (32U - bucket_bits));
}

std::size_t bucket_count(unsigned bucket_bits) { return std::size_t{1} << bucket_bits; }

}  // namespace flashbias::cache::pack
