#pragma once

#include "block.cuh"

// The blocks that a persistent thread block works on: every gridDim.x-th.
struct Schedule {
  const Parameters& p;
  int item = static_cast<int>(blockIdx.x);

  __device__ explicit Schedule(const Parameters& parameters) : p(parameters) {}

  __device__ __forceinline__ bool has_next() const { return item < p.work_items; }
  __device__ __forceinline__ Block next() {
    const Block block(p, static_cast<u32>(item));
    item += static_cast<int>(gridDim.x);
    return block;
  }
};
