#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "flashbias/cache.hpp"
#include "flashbias/config.hpp"
#include "flashbias/kernel.hpp"

namespace flashbias::jit {

/// Where a kernel came from.
enum class Origin : std::uint8_t { memory, pack, disk, compiled };
[[nodiscard]] std::string_view to_string(Origin origin) noexcept;

/// Whether a kernel that is in no pack and no cache is compiled.
enum class Compile : std::uint8_t {
  when_missing,
  never,  ///< a miss is Error(not_precompiled), and NVRTC is not opened
};

/// What is written to stderr, a line each.
enum class Log : std::uint8_t {
  nothing,
  warnings,  ///< what was bad and is made anew, and a cache that cannot be used
  misses,    ///< also each kernel that was compiled or not found: why, and how long it took
  all,       ///< also each that was found in a pack or on disk
};

/// A place that was searched in vain.
struct PlaceMissed {
  std::filesystem::path place;  ///< a pack or the cache directory
  cache::Miss miss;
};

/// What became of a config that was not in memory.
struct Lookup {
  std::string config;               ///< canonical text
  std::string key;                  ///< empty where it is not known: without a compiler and where nothing was found
  std::optional<Origin> origin;     ///< nothing: there is no kernel
  std::filesystem::path found_in;   ///< the pack or the cache directory
  std::vector<PlaceMissed> missed;  ///< in the order in which they were searched
  double compile_ms = 0;            ///< time in NVRTC
  double total_ms = 0;              ///< from the config to the cubin
  std::string error;                ///< why there is no kernel
};
/// One line: `compiled in 312 ms (absent in /home/ada/.cache/flashbias): dtype=f16 ...`.
[[nodiscard]] std::string to_string(const Lookup& lookup);

/// How kernels are found. docs/cache.md has the variables of the environment that give the defaults.
struct Options {
  std::vector<std::filesystem::path> packs{};  ///< searched in this order, before the cache directory
  Compile compile = Compile::when_missing;
  /// Of compiled kernels. Absent: kernels are compiled anew in each process.
  std::optional<std::filesystem::path> cache_dir{};
  std::uintmax_t cache_bytes = cache::DiskStore::kDefaultLimit;  ///< that the cache directory may hold
  bool tuned = true;                                             ///< whether what `flashbias tune --keep` found is used
  Log log = Log::warnings;
  /// Called after each look-up that memory did not serve, by the thread that made it. It must not throw.
  std::function<void(const Lookup&)> on_lookup{};

  /// What the environment says, read once a process. Throws Error(invalid_argument) that names the variable, its value
  /// and what is accepted.
  [[nodiscard]] static Options from_environment();
};

/// What happened since the cache was made.
struct Counters {
  std::uint64_t memory_hits = 0;
  std::uint64_t pack_hits = 0;
  std::uint64_t disk_hits = 0;
  std::uint64_t compiles = 0;       ///< that gave a kernel
  std::uint64_t failures = 0;       ///< look-ups that gave none
  std::uint64_t missed_absent = 0;  ///< places searched in vain, by reason
  std::uint64_t missed_version = 0;
  std::uint64_t missed_corrupt = 0;
  std::uint64_t missed_unusable = 0;
  double compile_ms = 0;  ///< in NVRTC, of all compiles
};

/// A cubin, found or compiled.
struct CachedCubin {
  Cubin cubin;
  KernelPlan plan;
  std::string key;
  Origin origin = Origin::disk;
  std::string cache_problem;  ///< why the cache directory does not hold it; empty where it does, or was not needed
};

/// Finds kernels: in memory, in packs, in the cache directory, and else with the compiler. Thread-safe.
class KernelCache {
 public:
  /// Opens the packs. Throws Error(cache) that names the pack and what is wrong with it.
  explicit KernelCache(Options options);
  ~KernelCache();
  KernelCache(const KernelCache&) = delete;
  KernelCache& operator=(const KernelCache&) = delete;

  /// config -> plan -> source -> cubin -> loaded kernel, remembered in memory; one compile a key. A config whose arch
  /// is "current device" is resolved against the current CUDA context (device 0 where there is none). A config asked
  /// for before costs the question which device is current and one look-up; it takes no lock and allocates nothing.
  /// Throws Error: invalid_config, unsupported_device, compiler_missing, driver_missing, compile_failed,
  /// not_precompiled, cuda.
  [[nodiscard]] Kernel get(const AttentionConfig& config);

  /// The cubin, without loading it: needs no GPU. config.arch must be a real architecture. It is what the planner
  /// chooses, whatever tuning found here: packs are made of such, and searched for them where nothing is compiled.
  /// Throws Error: invalid_config, compiler_missing, compile_failed, not_precompiled.
  [[nodiscard]] CachedCubin get_cubin(const AttentionConfig& config);

  /// Where the cubin would come from: Origin::compiled where it is nowhere. Compiles nothing, counts nothing.
  /// Throws Error: invalid_config, compiler_missing.
  [[nodiscard]] Lookup find(const AttentionConfig& config);

  [[nodiscard]] Counters counters() const;
  [[nodiscard]] const Options& options() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The cache of this process, made on the first call with the options of configure(), else those of the environment.
/// Throws as KernelCache and Options::from_environment do.
[[nodiscard]] KernelCache& default_cache();
/// Before the first call of default_cache() and get(). Throws Error(invalid_argument) after it.
void configure(Options options);

/// default_cache().get(config).
[[nodiscard]] Kernel get(const AttentionConfig& config);
/// default_cache().get_cubin(config), or with another cache directory.
[[nodiscard]] CachedCubin get_cubin(const AttentionConfig& config,
                                    const std::optional<std::filesystem::path>& cache_dir = std::nullopt);

/// Architecture of the current CUDA device. Throws Error(driver_missing), Error(unsupported_device).
[[nodiscard]] Arch current_arch();

}  // namespace flashbias::jit
