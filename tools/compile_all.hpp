#pragma once

#include <filesystem>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "flashbias/jit.hpp"

/// Many kernels into the cache, and how one is reported.
namespace flashbias::tools {

struct CompileOutcome {
  std::optional<jit::CachedCubin> kernel;
  std::string error;  ///< where there is no kernel
};

/// Called as each config is done, one call at a time.
using CompileObserver = std::function<void(std::size_t index, const CompileOutcome& outcome)>;

/// Compiles on `threads` threads (0: as many as keep all cores busy); outcomes in the order of the configs. A failure
/// stops nothing. Threads of one process serve: NVRTC takes no lock across a compile of sources without headers, which
/// ours are.
std::vector<CompileOutcome> compile_all(std::span<const AttentionConfig> configs, jit::KernelCache& cache, int threads,
                                        const CompileObserver& observer);

/// `--cache`; nothing for an empty text, which means the default directory.
[[nodiscard]] std::optional<std::filesystem::path> cache_directory(const std::string& text);
/// The directory of `--cache`, else the environment's. Throws Error(cache) where neither names one.
[[nodiscard]] std::filesystem::path required_cache_directory(const std::string& text);
/// The cache in that directory, which may not exist yet. Throws Error(cache) where its path is that of another file.
[[nodiscard]] cache::DiskStore existing_store(const std::string& text);
/// Of `--arch`. Throws Error(unsupported_device) for others than those that kernels are compiled for.
[[nodiscard]] Arch real_arch(const std::string& text);
/// The environment's options, but for the directory of `--cache`.
[[nodiscard]] jit::Options cache_options(const std::string& text);

/// `312 ms`, or `cached`.
[[nodiscard]] std::string compile_time_text(const jit::CachedCubin& kernel);

[[nodiscard]] nlohmann::ordered_json to_json(const jit::CachedCubin& kernel);

}  // namespace flashbias::tools
