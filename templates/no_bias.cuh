#pragma once

#include "bias_hooks.cuh"

struct NoBias : BiasHooks {
  struct Storage {};  // in shared memory

  __device__ NoBias(const Parameters&, const Block&, Storage&) {}
};
