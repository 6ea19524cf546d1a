#include "tools/compile_all.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <nlohmann/json.hpp>
#include <system_error>
#include <thread>

#include "flashbias/error.hpp"

namespace flashbias::tools {
namespace {

CompileOutcome compile_one(const AttentionConfig& config, jit::KernelCache& cache) {
  try {
    return {.kernel = cache.get_cubin(config), .error = {}};
  } catch (const Error& error) {
    return {.kernel = std::nullopt, .error = error.what()};
  }
}

}  // namespace

std::vector<CompileOutcome> compile_all(std::span<const AttentionConfig> configs, jit::KernelCache& cache, int threads,
                                        const CompileObserver& observer) {
  std::vector<CompileOutcome> outcomes(configs.size());
  std::atomic<std::size_t> next = 0;
  std::mutex observing;
  const auto work = [&] {
    for (std::size_t i = next++; i < configs.size(); i = next++) {
      outcomes[i] = compile_one(configs[i], cache);
      const std::lock_guard lock(observing);
      observer(i, outcomes[i]);
    }
  };
  // One more than there are cores: each also waits for the disk as it publishes.
  const auto wanted = threads > 0 ? static_cast<std::size_t>(threads) : std::thread::hardware_concurrency() + 1;
  std::vector<std::jthread> pool;
  for (std::size_t i = 1; i < std::min(wanted, configs.size()); ++i) pool.emplace_back(work);
  work();
  pool.clear();  // joins
  return outcomes;
}

std::optional<std::filesystem::path> cache_directory(const std::string& text) {
  if (text.empty()) return std::nullopt;
  return text;
}

jit::Options cache_options(const std::string& text) {
  jit::Options options = jit::Options::from_environment();
  if (!text.empty()) options.cache_dir = text;
  return options;
}

std::filesystem::path required_cache_directory(const std::string& text) {
  const auto directory = cache_options(text).cache_dir;
  if (!directory)
    throw Error(ErrorCode::cache, "there is no place for the cache; pass --cache or set FLASHBIAS_CACHE_DIR");
  return *directory;
}

cache::DiskStore existing_store(const std::string& text) {
  const auto directory = required_cache_directory(text);
  std::error_code ignored;
  if (std::filesystem::exists(directory, ignored) && !std::filesystem::is_directory(directory, ignored)) {
    throw Error(ErrorCode::cache,
                fmt::format("{} is no directory; pass --cache or set FLASHBIAS_CACHE_DIR", directory.string()));
  }
  return cache::DiskStore(directory, cache_options(text).cache_bytes);
}

Arch real_arch(const std::string& text) {
  const Arch arch = parse_arch(text);
  if (!arch.is_current_device()) return arch;
  std::vector<std::string> names;
  for (const Arch known : supported_archs()) names.push_back(to_string(known));
  throw Error(
      ErrorCode::unsupported_device,
      fmt::format("--arch {}: expected the name of an architecture, since the GPU may be in another machine: {}", text,
                  fmt::join(names, ", ")));
}

std::string compile_time_text(const jit::CachedCubin& kernel) {
  if (kernel.origin != jit::Origin::compiled) return "cached";
  return fmt::format("{:.0f} ms", kernel.cubin.compile_ms);
}

nlohmann::ordered_json to_json(const jit::CachedCubin& kernel) {
  const auto& resources = kernel.cubin.resources;
  return {{"config", to_string(kernel.plan.config)},
          {"key", kernel.key},
          {"cached", kernel.origin != jit::Origin::compiled},
          {"compile_ms", kernel.cubin.compile_ms},
          {"cubin_bytes", kernel.cubin.image.size()},
          {"registers", resources.registers},
          {"shared_bytes", kernel.plan.shared_bytes + resources.static_shared_bytes},
          {"stack_bytes", resources.stack_bytes},
          {"spill_store_bytes", resources.spill_store_bytes},
          {"spill_load_bytes", resources.spill_load_bytes}};
}

}  // namespace flashbias::tools
