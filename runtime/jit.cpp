#include "flashbias/jit.hpp"

#include <atomic>
#include <mutex>
#include <utility>

#include "flashbias/error.hpp"
#include "runtime/device.hpp"

namespace flashbias::jit {
namespace {

/// The cache of the process and what it is made with. Never destroyed: at exit the driver may go first.
struct Default {
  std::atomic<KernelCache*> cache = nullptr;
  std::mutex making;
  std::optional<Options> options;
};

Default& the_default() {
  static auto& instance = *new Default;
  return instance;
}

}  // namespace

KernelCache& default_cache() {
  Default& instance = the_default();
  if (KernelCache* made = instance.cache.load(std::memory_order_acquire); made != nullptr) return *made;
  const std::lock_guard lock(instance.making);
  if (instance.cache.load(std::memory_order_relaxed) == nullptr) {
    Options options = instance.options ? *instance.options : Options::from_environment();
    instance.cache.store(new KernelCache(std::move(options)), std::memory_order_release);
  }
  return *instance.cache.load(std::memory_order_relaxed);
}

void configure(Options options) {
  Default& instance = the_default();
  const std::lock_guard lock(instance.making);
  if (instance.cache.load(std::memory_order_relaxed) != nullptr) {
    throw Error(
        ErrorCode::invalid_argument,
        "the cache of the process is in use already: configure it before the first kernel is asked for, or make "
        "a KernelCache of your own");
  }
  instance.options = std::move(options);
}

Kernel get(const AttentionConfig& config) { return default_cache().get(config); }

CachedCubin get_cubin(const AttentionConfig& config, const std::optional<std::filesystem::path>& cache_dir) {
  if (!cache_dir) return default_cache().get_cubin(config);
  Options options = default_cache().options();
  options.cache_dir = cache_dir;
  return KernelCache(std::move(options)).get_cubin(config);
}

Arch current_arch() {
  const runtime::Driver& driver = runtime::Driver::get();
  return runtime::arch_of(driver, runtime::current_device(driver));
}

}  // namespace flashbias::jit
