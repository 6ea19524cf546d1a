#pragma once

#include <functional>
#include <string>
#include <vector>

#include "flashbias/cache.hpp"
#include "flashbias/jit.hpp"
#include "flashbias/pack.hpp"
#include "flashbias/source.hpp"

namespace flashbias::runtime {

/// The compiler as the cache sees it: NVRTC, or a stand-in under test.
struct Compiler {
  std::function<std::string()> version = compiler_version;
  std::function<Cubin(const KernelSource&, Arch)> compile = flashbias::compile;
};

/// Where cubins are looked for, and whether they are compiled.
struct Places {
  std::vector<cache::Pack> packs{};
  std::optional<cache::DiskStore> disk{};
  jit::Compile compile = jit::Compile::when_missing;
};

/// The cubin of a plan: looked up; else compiled and published under the key's lock, after a second look. A cache
/// directory that cannot be used does not stop that: CachedCubin::cache_problem then says why the cubin is not kept.
/// `lookup` tells what happened, also where this throws: what the compiler throws (nothing is published then), or
/// Error(not_precompiled).
[[nodiscard]] jit::CachedCubin find_or_compile(const KernelPlan& plan, const Places& places, jit::Lookup& lookup,
                                               const Compiler& compiler = {});

/// Looks only: lookup.origin is Origin::compiled where the cubin would have to be.
void find_cubin(const KernelPlan& plan, const Places& places, jit::Lookup& lookup, const Compiler& compiler = {});

}  // namespace flashbias::runtime
