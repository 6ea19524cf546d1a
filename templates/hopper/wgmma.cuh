#pragma once

#include "config.cuh"

// Asynchronous products of a warpgroup. Between the first and the wait for them, neither accumulators nor operands may
// be touched.
__device__ __forceinline__ void begin_products() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
__device__ __forceinline__ void commit_products() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }

// Waits until at most so many committed groups are under way.
template <int Groups>
__device__ __forceinline__ void wait_for_products() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(Groups) : "memory");
}

// The compiler sees accumulators change where products are issued, not where they finish: their later uses must not
// move up, nor their earlier ones down.
template <int Tiles>
__device__ __forceinline__ void pin(float (&accumulators)[Tiles][4]) {
#pragma unroll
  for (int n = 0; n < Tiles; ++n)
#pragma unroll
    for (int e = 0; e < 4; ++e) asm volatile("" : "+f"(accumulators[n][e])::"memory");
}
