#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "flashbias/cache.hpp"

/// Packs: one read-only file of cubins for deployment. docs/cache.md describes the format.
namespace flashbias::cache {

/// A cubin out of a pack.
struct PackedCubin {
  std::string source_key;
  std::string key;
  Manifest manifest;  ///< compile_ms is 0: a pack is the same bytes whenever and wherever it is made
  std::vector<std::byte> image;
};

/// A pack, mapped into memory. Thread-safe. What is asked for is verified each time, and the rest stays unread.
class Pack {
 public:
  /// Throws Error(cache) that names the file and what is wrong: it cannot be read, others can write to it, it is no
  /// pack, or one of another format.
  explicit Pack(const std::filesystem::path& path);

  [[nodiscard]] const std::filesystem::path& path() const noexcept;
  [[nodiscard]] std::size_t size() const noexcept;  ///< cubins
  [[nodiscard]] std::size_t bytes() const noexcept;

  /// The verified cubin that was compiled from this source, with these options, for this architecture; nothing and why
  /// where there is none. `config` tells whether another version of its source is here. The time does not depend on how
  /// many cubins there are. Throws Error(cache) where the file was written to since it was opened.
  [[nodiscard]] std::optional<PackedCubin> load(const std::string& source_key, const std::string& config,
                                                Miss* why_not = nullptr) const;

  struct Status {
    std::string source_key;
    std::string key;
    std::optional<Manifest> manifest;
    std::size_t packed_bytes = 0;
    std::string problem;  ///< empty: sound as far as it was looked at
  };
  /// Every cubin with its manifest, sorted by source key; unpacks none.
  [[nodiscard]] std::vector<Status> list() const;
  /// Every cubin unpacked and checked byte for byte, and that each can be found. Throws Error(cache) where all are
  /// sound and the index is not.
  [[nodiscard]] std::vector<Status> verify() const;

 private:
  struct Impl;
  std::shared_ptr<const Impl> impl_;
};

/// Collects cubins and writes them as a pack. The same cubins give the same bytes, whatever the order.
class PackWriter {
 public:
  /// False where the source key is there already: the first one stays. The manifest's compile_ms is left out.
  bool add(const std::string& source_key, const Manifest& manifest, std::span<const std::byte> cubin);
  bool add(const Entry& entry);  ///< with its source
  /// All that a pack holds, verified; how many were there already. Throws Error(cache) for a bad one.
  std::size_t add(const Pack& pack);

  [[nodiscard]] std::size_t size() const noexcept { return cubins_.size(); }
  [[nodiscard]] std::string bytes() const;
  /// Writes aside, then renames: at the path is the old file or all of the new one, mode 0444. Throws Error(cache).
  void write(const std::filesystem::path& path) const;
  /// Likewise, with what else is held by the pack that is there, if any: of cubins of one source, the one added here
  /// stays. Threads and processes that write to a path take turns, so that none loses what another added (where the
  /// file system has locks).
  void write_with_earlier(const std::filesystem::path& path);

 private:
  struct Packed {
    std::string manifest;
    std::string config;
    std::string cubin_sha256;
    std::size_t cubin_bytes = 0;
    std::string cubin;  ///< compressed
  };
  std::map<std::string, Packed> cubins_;  ///< by source key
};

}  // namespace flashbias::cache
