#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "flashbias/cubin.hpp"

namespace flashbias::cache {

/// Raised when the layout of an entry or of a pack changes; part of every key.
inline constexpr int kFormatVersion = 2;

/// All that decides what a cubin is. No paths, no times.
struct KeyInputs {
  std::string source;  ///< but for the comment at its top, which decides nothing
  std::vector<std::string> options;
  std::string arch;
  std::string compiler_version;
};

/// SHA-256 over the format version, the source, the options and the architecture: what is to be compiled, whichever
/// compiler does it. 64 lower-case hex digits.
[[nodiscard]] std::string make_source_key(const KeyInputs& inputs);
/// SHA-256 over the source key and the compiler's version: names an entry. 64 lower-case hex digits.
[[nodiscard]] std::string make_key(const KeyInputs& inputs);
[[nodiscard]] std::string make_key(std::string_view source_key, std::string_view compiler_version);
[[nodiscard]] std::string sha256_hex(const void* data, std::size_t size);

/// manifest.json of an entry.
struct Manifest {
  int format_version = kFormatVersion;
  std::string flashbias_version;  ///< that wrote the source; no part of the key, which has the source itself
  std::string config;             ///< canonical text
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

/// Why a cubin was not found in some place.
enum class MissReason : std::uint8_t {
  absent,    ///< there is none for this config
  version,   ///< there is one, by another compiler or from the source of another flashbias
  corrupt,   ///< there is one that failed its checks
  unusable,  ///< the place, or the one that is there, cannot be read
};
[[nodiscard]] std::string_view to_string(MissReason reason) noexcept;

struct Miss {
  MissReason reason = MissReason::absent;
  std::string detail;  ///< what was found instead; empty where nothing was
};

/// What to remove from a store, beside the leftovers of processes that died and entries that were set aside.
struct PruneOptions {
  std::optional<std::uintmax_t> bytes{};             ///< least recently used entries, until no more than these are left
  std::optional<std::chrono::seconds> unused_for{};  ///< entries that nobody loaded for so long
};

struct PruneResult {
  std::size_t entries = 0;        ///< removed
  std::uintmax_t bytes = 0;       ///< removed, leftovers included
  std::size_t leftovers = 0;      ///< unfinished, set aside or half-removed entries that are gone
  std::size_t in_use = 0;         ///< entries that would have gone, had no process loaded them
  std::uintmax_t bytes_left = 0;  ///< of entries
  std::string problem{};          ///< why the first of those that should have gone is still there; empty: all are gone
};

/// Entries `<key>/{kernel.cubin, kernel.cu, manifest.json, uses}` in a directory; written aside, published by one
/// rename. Copies share what they hold.
class DiskStore {
 public:
  static constexpr std::uintmax_t kDefaultLimit = std::uintmax_t{2} << 30U;

  /// Creates the directory (mode 0700) on the first lock or publication, not before. One that belongs to another user
  /// (root excepted) or that others can write to is refused: all but lock() then throw Error(cache).
  /// `limit`: bytes of all entries; a publication beyond it removes those least recently used, never one in use.
  explicit DiskStore(const std::filesystem::path& directory, std::uintmax_t limit = kDefaultLimit);

  [[nodiscard]] const std::filesystem::path& directory() const noexcept { return directory_; }

  /// Creates the directory, if there is none, before anything needs it. Throws Error(cache) as publish() does.
  void create_directory() const;

  /// The verified entry, or nothing and why. A bad entry is set aside (renamed); one that cannot be read now, for want
  /// of descriptors, memory or permission, stays as it is.
  /// Counts as a use of the entry, which stays in use as long as this store or a copy of it lives.
  /// `with_source` false leaves Entry::source empty.
  [[nodiscard]] std::optional<Entry> load(const std::string& key, bool with_source = false,
                                          Miss* why_not = nullptr) const;
  /// Key of the entry last published or remembered for a config; nothing where there was none.
  [[nodiscard]] std::optional<std::string> latest_key(const std::string& config) const;
  /// Has latest_key() give this key. publish() does so for the config of its entry, but configs that are written
  /// differently may share one. A failure is no error.
  void remember(const std::string& config, const std::string& key) const noexcept;
  /// Source of an entry, all of which is verified. Throws Error(cache) where it is bad or absent.
  [[nodiscard]] std::string source(const std::string& key) const;
  /// Manifest of an entry, its other files unread; nothing where there is no sound one.
  [[nodiscard]] std::optional<Manifest> manifest(const std::string& key) const;

  /// Atomic; an entry that is already there stays, and one that cannot be evicted is no failure. Throws Error(cache)
  /// naming the path and the reason, also where the entry's parts do not belong together (cubin_bytes, the checksums,
  /// the key, the architecture).
  void publish(const Entry& entry) const;

  /// Exclusive over threads and processes while it lives; released by the kernel if the holder dies.
  class Lock {
   public:
    struct Held;
    explicit Lock(std::shared_ptr<Held> held) noexcept : held_(std::move(held)) {}

   private:
    std::shared_ptr<Held> held_;
  };
  /// Waits for the lock of a key. Nothing where the directory cannot be used, or is on a file system without locks.
  [[nodiscard]] std::optional<Lock> lock(const std::string& key) const;

  struct Status {
    std::string key;
    std::optional<Manifest> manifest;
    std::string problem;       ///< empty: the entry is sound
    std::uintmax_t bytes = 0;  ///< of its files
    std::uintmax_t hits = 0;   ///< loads since its publication
    std::filesystem::file_time_type published{};
    std::filesystem::file_time_type last_used{};
  };
  /// Every entry with its manifest, sorted by key; does not read cubins.
  [[nodiscard]] std::vector<Status> list() const;
  /// Every entry, checked byte for byte.
  [[nodiscard]] std::vector<Status> verify() const;
  /// What cannot be removed keeps nothing else from going: see PruneResult::problem.
  /// Throws Error(cache) where entries cannot be told to be unused: the file system has no locks.
  PruneResult prune(const PruneOptions& options) const;
  /// Removes all entries, in use or not, and all leftovers (and nothing else): not what another process is writing.
  PruneResult clear() const;

 private:
  struct Shared;
  std::filesystem::path directory_;
  std::uintmax_t limit_;
  std::shared_ptr<Shared> shared_;
};

}  // namespace flashbias::cache
