#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "flashbias/cubin.hpp"

namespace flashbias::cache {

/// Raised when the layout of an entry changes; part of every key.
inline constexpr int kFormatVersion = 1;

/// All that decides what a cubin is. No paths, no times.
struct KeyInputs {
  std::string source;  ///< but for the comment at its top, which decides nothing
  std::vector<std::string> options;
  std::string arch;
  std::string compiler_version;
};

/// SHA-256 over the inputs and the format version, 64 lower-case hex digits.
[[nodiscard]] std::string make_key(const KeyInputs& inputs);
[[nodiscard]] std::string sha256_hex(const void* data, std::size_t size);

/// manifest.json of an entry.
struct Manifest {
  int format_version = kFormatVersion;
  std::string config;  ///< canonical text
  std::string arch;
  std::vector<std::string> options;
  std::string compiler_version;
  std::string source_sha256;
  std::string cubin_sha256;
  std::size_t cubin_bytes = 0;
  KernelResources resources;
  double compile_ms = 0;
};

[[nodiscard]] std::string to_json(const Manifest& manifest);
/// Throws Error(cache) that says what is missing or malformed.
[[nodiscard]] Manifest parse_manifest(const std::string& text);

struct Entry {
  std::string key;
  Manifest manifest;
  std::vector<std::byte> cubin;
  std::string source;
};

/// Entries `<key>/{kernel.cubin, kernel.cu, manifest.json}` in a directory; written aside, published by one rename.
class DiskStore {
 public:
  /// Creates the directory (mode 0700) on the first lock or publication, not before. One that belongs to another user
  /// (root excepted) or that others can write to is refused: all but lock() then throw Error(cache).
  explicit DiskStore(const std::filesystem::path& directory);

  /// FLASHBIAS_CACHE_DIR, else $XDG_CACHE_HOME/flashbias, else ~/.cache/flashbias.
  [[nodiscard]] static std::filesystem::path default_directory();

  [[nodiscard]] const std::filesystem::path& directory() const noexcept { return directory_; }

  /// The verified entry, or nothing. A bad entry is set aside (renamed) and reported by one warning on stderr.
  /// `with_source` false leaves Entry::source empty.
  [[nodiscard]] std::optional<Entry> load(const std::string& key, bool with_source = false) const;
  /// Atomic; an entry that is already there stays. Throws Error(cache) naming the path and the reason, also where the
  /// entry's parts do not belong together (cubin_bytes, the checksums, the key).
  void publish(const Entry& entry) const;

  /// Exclusive over threads and processes while it lives; released by the kernel if the holder dies.
  class Lock {
   public:
    explicit Lock(int descriptor) noexcept : descriptor_(descriptor) {}
    Lock(Lock&& other) noexcept;
    Lock& operator=(Lock&& other) noexcept;
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;
    ~Lock();

   private:
    int descriptor_ = -1;
  };
  /// Waits for the lock of a key. Nothing where the directory cannot be used: load and publish say why.
  [[nodiscard]] std::optional<Lock> lock(const std::string& key) const;

  struct Status {
    std::string key;
    std::optional<Manifest> manifest;
    std::string problem;  ///< empty: the entry is sound
  };
  /// Every entry with its manifest, sorted by key; does not read cubins.
  [[nodiscard]] std::vector<Status> list() const;
  /// Every entry, checked byte for byte.
  [[nodiscard]] std::vector<Status> verify() const;
  /// Removes all entries, those set aside included (and nothing else); returns how many.
  std::size_t clear() const;

 private:
  std::filesystem::path directory_;
};

}  // namespace flashbias::cache
