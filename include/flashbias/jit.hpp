#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "flashbias/config.hpp"
#include "flashbias/kernel.hpp"

namespace flashbias::jit {

/// Where a kernel came from.
enum class Origin { memory, disk, compiled };

/// config -> plan -> source -> cubin (disk cache, else NVRTC) -> loaded kernel, remembered in memory.
/// Thread-safe; one compile per key. A config whose arch is "current device" is resolved against the
/// current CUDA context (device 0 where there is none). A config asked for before costs the question which device is
/// current and one look-up; it allocates nothing. A disk cache that cannot be used is one warning a process.
/// Throws Error: invalid_config, unsupported_device, compiler_missing, driver_missing, compile_failed, cuda.
[[nodiscard]] Kernel get(const AttentionConfig& config);

/// A cubin of the disk cache, compiled if it was not there. Needs no GPU: this is what `precompile` does.
struct CachedCubin {
  Cubin cubin;
  KernelPlan plan;
  std::string key;
  Origin origin = Origin::disk;
  std::string cache_problem;  ///< why the disk cache does not hold it; empty where it does
};
/// config.arch must be a real architecture. cache_dir: absent for the default directory, which the environment names
/// once a process. Throws Error: invalid_config, compiler_missing, compile_failed.
[[nodiscard]] CachedCubin get_cubin(const AttentionConfig& config,
                                    const std::optional<std::filesystem::path>& cache_dir = std::nullopt);

/// Architecture of the current CUDA device. Throws Error(driver_missing), Error(unsupported_device).
[[nodiscard]] Arch current_arch();

}  // namespace flashbias::jit
