#pragma once

#include <functional>
#include <string>

#include "flashbias/cache.hpp"
#include "flashbias/jit.hpp"
#include "flashbias/source.hpp"

namespace flashbias::runtime {

/// The compiler as the cache sees it: NVRTC, or a stand-in under test.
struct Compiler {
  std::function<std::string()> version = compiler_version;
  std::function<Cubin(const KernelSource&, Arch)> compile = flashbias::compile;
};

/// The cubin of a plan: looked up; compiled and published under the key's lock, after a second look, if it is not
/// there. A store that is null or cannot be used does not stop that: CachedCubin::cache_problem then says why the
/// cubin is not kept. Throws what the compiler throws; nothing is published then.
[[nodiscard]] jit::CachedCubin find_or_compile(const KernelPlan& plan, const cache::DiskStore* store,
                                               const Compiler& compiler = {});

}  // namespace flashbias::runtime
