#pragma once

#include "config.cuh"

// Threads of the kernels that treat rows of queries one by one, before and behind the passes.
constexpr int kRowKernelThreads = 256;

__device__ __forceinline__ i64 thread_of_grid() { return i64{blockIdx.x} * blockDim.x + threadIdx.x; }
__device__ __forceinline__ i64 threads_of_grid() { return i64{gridDim.x} * blockDim.x; }

// What several thread blocks add to, which begins as zeros; nothing where each gradient has one owner.
__device__ __forceinline__ void clear_sums(const Parameters& p) {
  float4* fours = reinterpret_cast<float4*>(p.workspace + p.sums_begin);
  const i64 count = (p.sums_end - p.sums_begin) / 4;
  for (i64 i = thread_of_grid(); i < count; i += threads_of_grid()) fours[i] = {};
}
