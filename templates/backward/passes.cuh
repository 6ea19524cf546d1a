#pragma once

#include "backward/key_pass.cuh"
#include "backward/query_sums_kernel.cuh"

// A sample of what the generator writes in this file's place: the kinds of work, one behind the other in the grid.
__device__ __forceinline__ void run_pass(const Parameters& p, SharedStorage& shared, int index) {
  if (index < p.key_blocks) return KeyPass<true, true, true>(p, shared, index).run();
}
