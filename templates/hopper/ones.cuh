#pragma once

#include "element.cuh"
#include "hopper/warpgroup.cuh"
#include "ptx.cuh"

// A right operand of 16 rows and 8 columns, all ones: it sums probabilities as the tensor cores see them.
struct Ones {
  static constexpr int kPairs = 64;

  alignas(128) u32 pairs[kPairs];

  __device__ __forceinline__ void fill() {
    if (threadIdx.x >= kPairs) return;
    pairs[threadIdx.x] = Element::pack(1.0f, 1.0f);
    publish_to_async_proxy();
  }
  // Without a swizzle: groups of eight rows, and of eight columns, are 128 bytes apart.
  __device__ __forceinline__ unsigned long long descriptor() const {
    return 8ull << 32 | 8ull << 16 | (shared_address(pairs) & 0x3ffff) >> 4;
  }
};
