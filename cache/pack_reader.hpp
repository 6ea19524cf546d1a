#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>

#include "cache/pack_format.hpp"
#include "flashbias/pack.hpp"

namespace flashbias::cache::pack {

/// The bytes of a pack, which may be anything: nothing that they say is believed before it is checked, and what is
/// unpacked is bounded. Errors are Error(cache) without the file's name.
class Reader {
 public:
  /// Looks at the header alone. The bytes must outlive the reader.
  explicit Reader(std::span<const std::byte> bytes);

  [[nodiscard]] std::size_t size() const noexcept { return count_; }

  [[nodiscard]] std::optional<Record> find(const Digest& source_key) const;
  /// A record of this config, whatever its source; looks at all.
  [[nodiscard]] std::optional<Record> find_config(const std::string& config) const;
  [[nodiscard]] Record record(std::size_t index) const;
  /// Throws where the buckets are not those of the records, which must be sound.
  void check_buckets() const;

  /// Of a record. They throw where it, or what it points to, is not what it says.
  [[nodiscard]] Manifest manifest(const Record& record) const;
  [[nodiscard]] std::vector<std::byte> cubin(const Record& record, const Manifest& manifest) const;

 private:
  [[nodiscard]] std::span<const std::byte> part(std::uint64_t offset, std::uint64_t size, const char* what) const;
  [[nodiscard]] Bucket bucket(std::size_t index) const;

  std::span<const std::byte> bytes_;
  unsigned bucket_bits_ = 0;
  std::size_t count_ = 0;
};

}  // namespace flashbias::cache::pack
