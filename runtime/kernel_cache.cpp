#include <chrono>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "cache/insert_only_map.hpp"
#include "cache/single_flight.hpp"
#include "codegen/hash.hpp"
#include "flashbias/error.hpp"
#include "flashbias/jit.hpp"
#include "flashbias/tuning.hpp"
#include "runtime/cached_cubin.hpp"
#include "runtime/counters.hpp"
#include "runtime/device.hpp"
#include "runtime/kernel_impl.hpp"
#include "runtime/lookup_log.hpp"

namespace flashbias::jit {
namespace {

using Clock = std::chrono::steady_clock;

/// A config as it was asked for, and the architecture that it then stood for.
struct Asked {
  AttentionConfig config;
  Arch arch;
};
/// To look one up without copying the config, which would count a reference that all threads share.
struct AskedNow {
  const AttentionConfig& config;
  Arch arch;
};

struct AskedTraits {
  template <class Request>
  static std::size_t hash(const Request& request) noexcept {
    return codegen::mix(hash_value(request.config), static_cast<std::uint64_t>(request.arch.compute_capability));
  }
  template <class Request>
  static bool equal(const Asked& stored, const Request& wanted) noexcept {
    return stored.arch == wanted.arch && stored.config == wanted.config;
  }
};

struct ConfigHash {
  std::size_t operator()(const AttentionConfig& config) const noexcept { return hash_value(config); }
};

/// Loads a cubin for good: at the end of the process the driver may go before whoever would unload.
Kernel load_for_good(CachedCubin cubin, const runtime::Driver& driver, runtime::CUdevice device) {
  auto impl = std::make_unique<const Kernel::Impl>(std::move(cubin), driver);
  impl->loaded.prepare_for(device);
  static std::mutex adding;
  static auto& loaded = *new std::vector<std::unique_ptr<const Kernel::Impl>>;
  const std::lock_guard lock(adding);
  loaded.push_back(std::move(impl));
  return Kernel(*loaded.back());
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

runtime::Places open_places(const Options& options) {
  runtime::Places places;
  for (const auto& path : options.packs) places.packs.emplace_back(path);
  if (options.cache_dir) places.disk.emplace(*options.cache_dir, options.cache_bytes);
  places.compile = options.compile;
  return places;
}

}  // namespace

struct KernelCache::Impl {
  explicit Impl(Options given) : options(std::move(given)), places(open_places(options)) {}

  Kernel get(const AttentionConfig& config) {
    const runtime::Driver& driver = driver_for(config);
    const runtime::CUdevice device = runtime::current_device(driver);
    const bool for_current = config.arch.is_current_device();
    const Arch arch = for_current ? runtime::arch_of(driver, device) : config.arch;
    if (!for_current) runtime::require_runnable(driver, device, arch);
    if (const Kernel* known = asked.find(AskedNow{config, arch})) {
      counters.count_memory_hit();
      return *known;
    }
    AttentionConfig resolved = config;
    resolved.arch = arch;
    const Kernel kernel =
        made.get(resolved, [&] { return load_for_good(get_cubin(tuned_plan(resolved)), driver, device); });
    asked.insert({config, arch}, kernel);
    return kernel;
  }

  /// With what tuning found on this machine; not where only kernels made elsewhere may serve.
  [[nodiscard]] KernelPlan tuned_plan(const AttentionConfig& config) const {
    if (!options.tuned || options.compile != Compile::when_missing || !options.cache_dir) return plan(config);
    try {
      return plan(tuning::with_winner(config, *options.cache_dir));
    } catch (const Error&) {  // what another version kept may fit no more: the planner's choice serves
      return plan(config);
    }
  }

  CachedCubin get_cubin(const KernelPlan& kernel_plan) {
    const auto start = Clock::now();
    Lookup lookup;
    const auto report = [&](const std::string& cache_problem) {
      lookup.total_ms = std::chrono::duration<double, std::milli>(Clock::now() - start).count();
      counters.count(lookup);
      runtime::log_lookup(options.log, lookup, cache_problem);
      if (options.on_lookup) options.on_lookup(lookup);
    };
    try {
      CachedCubin found = runtime::find_or_compile(kernel_plan, places, lookup);
      report(found.cache_problem);
      return found;
    } catch (const Error& error) {
      lookup.origin.reset();
      lookup.error = error.what();
      report({});
      throw;
    }
  }

  Options options;
  runtime::Places places;
  runtime::CacheCounters counters;
  cache::InsertOnlyMap<Asked, Kernel, AskedTraits> asked;
  cache::SingleFlight<AttentionConfig, Kernel, ConfigHash> made;  ///< by config, its architecture resolved
};

KernelCache::KernelCache(Options options) : impl_(std::make_unique<Impl>(std::move(options))) {}
KernelCache::~KernelCache() = default;

Kernel KernelCache::get(const AttentionConfig& config) { return impl_->get(config); }

CachedCubin KernelCache::get_cubin(const AttentionConfig& config) { return impl_->get_cubin(plan(config)); }

Lookup KernelCache::find(const AttentionConfig& config) {
  Lookup lookup;
  runtime::find_cubin(plan(config), impl_->places, lookup);
  return lookup;
}

Counters KernelCache::counters() const { return impl_->counters.read(); }

const Options& KernelCache::options() const noexcept { return impl_->options; }

}  // namespace flashbias::jit
