#pragma once

#include "fragments.cuh"

// What a bias may do along the way of the portable main loop, beside what it does in any.
struct PortableHooks {
  // Starts asynchronous copies, together with those of a tile of keys.
  __device__ void load_keys(int /*kv_start*/) {}
  // Adds to scores q k^T on the tensor cores, while this tile's keys are in shared memory.
  __device__ void accumulate(Scores&) const {}
};
