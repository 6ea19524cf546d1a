#pragma once

#include "backward/hopper/key_pass.cuh"
#include "backward/hopper/query_pass.cuh"
#include "backward/hopper/run_roles.cuh"
#include "backward/query_sums_kernel.cuh"

// A sample of what the generator writes in this file's place: the kinds of work, one behind the other in the grid.
__device__ __forceinline__ void run_pass(const Parameters& p, SharedStorage& shared, int index) {
  if (index < p.key_blocks) return run_roles<KeyPass<true, true, true>>(p, shared, index);
}
