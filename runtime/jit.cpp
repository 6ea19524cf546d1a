#include "flashbias/jit.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <mutex>

#include "cache/memory_store.hpp"
#include "flashbias/cache.hpp"
#include "flashbias/error.hpp"
#include "runtime/cached_cubin.hpp"
#include "runtime/device.hpp"
#include "runtime/kernel_impl.hpp"

namespace flashbias::jit {
namespace {

struct ConfigHash {
  std::size_t operator()(const AttentionConfig& config) const noexcept { return hash_value(config); }
};
using KernelStore = cache::MemoryStore<AttentionConfig, Kernel, ConfigHash>;

/// Kernels of this process by config, their architecture resolved. Never destroyed: at exit the driver may go first.
KernelStore& kernels() {
  static auto* const store = new KernelStore;
  return *store;
}

std::optional<cache::DiskStore> open_default_store() {
  try {
    return cache::DiskStore(cache::DiskStore::default_directory());
  } catch (const Error&) {
    return std::nullopt;
  }
}

/// The store of the default directory, as the environment named it first; nullptr where it names none.
const cache::DiskStore* default_store() {
  static const std::optional<cache::DiskStore> store = open_default_store();
  return store ? &*store : nullptr;
}

void warn_once(const std::string& cache_problem) {
  static std::once_flag warned;
  std::call_once(warned, [&] {
    fmt::print(stderr, "flashbias: warning: kernels are compiled anew in every process, as the cache is unusable: {}\n",
               cache_problem);
  });
}

/// What is wrong with the config is told before what the machine lacks.
const runtime::Driver& driver_for(const AttentionConfig& config) {
  try {
    return runtime::Driver::get();
  } catch (const Error&) {
    validate(config);
    throw;
  }
}

Kernel make_kernel(const AttentionConfig& config, const runtime::Driver& driver, runtime::CUdevice device) {
  CachedCubin found = runtime::find_or_compile(plan(config), default_store());
  if (!found.cache_problem.empty()) warn_once(found.cache_problem);
  const auto impl = std::make_shared<const Kernel::Impl>(std::move(found), driver);
  impl->loaded.prepare_for(device);
  return Kernel(impl);
}

}  // namespace

Kernel get(const AttentionConfig& config) {
  const runtime::Driver& driver = driver_for(config);
  const runtime::CUdevice device = runtime::current_device(driver);
  AttentionConfig resolved = config;
  if (config.arch.is_current_device()) {
    resolved.arch = runtime::arch_of(driver, device);
  } else {
    runtime::require_runnable(driver, device, config.arch);
  }
  return kernels().get(resolved, [&] { return make_kernel(resolved, driver, device); });
}

CachedCubin get_cubin(const AttentionConfig& config, const std::optional<std::filesystem::path>& cache_dir) {
  const KernelPlan kernel_plan = plan(config);
  if (!cache_dir) return runtime::find_or_compile(kernel_plan, default_store());
  const cache::DiskStore store(*cache_dir);
  return runtime::find_or_compile(kernel_plan, &store);
}

Arch current_arch() {
  const runtime::Driver& driver = runtime::Driver::get();
  return runtime::arch_of(driver, runtime::current_device(driver));
}

}  // namespace flashbias::jit
