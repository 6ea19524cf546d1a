#pragma once

#include <string>
#include <utility>

#include "flashbias/jit.hpp"
#include "flashbias/kernel.hpp"
#include "runtime/loaded_kernel.hpp"

namespace flashbias {

struct Kernel::Impl {
  /// Loads a cubin. Throws Error(cuda).
  Impl(jit::CachedCubin cubin, const runtime::Driver& driver)
      : plan(std::move(cubin.plan)),
        resources(cubin.cubin.resources),
        key(std::move(cubin.key)),
        loaded(driver, cubin.cubin.image, plan) {}

  KernelPlan plan;
  KernelResources resources;
  std::string key;
  runtime::LoadedKernel loaded;
};

}  // namespace flashbias
