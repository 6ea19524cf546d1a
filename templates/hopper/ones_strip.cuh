#pragma once

#include "element.cuh"
#include "hopper/async_proxy.cuh"
#include "hopper/value_tile.cuh"
#include "hopper/warpgroup.cuh"

// Eight columns of ones that one product takes together with values: they sum probabilities as the tensor cores see
// them, for a quarter of what a product of their own would take. To wgmma they are the strip behind that of the values.
struct Ones {
  static constexpr int kPairs = 16 * ValueTile::kRowBytes / 4;  // of 16 rows; alike, so that no swizzle matters

  alignas(1024) u32 pairs[kPairs];

  __device__ __forceinline__ void fill() {
    for (int i = static_cast<int>(threadIdx.x); i < kPairs; i += kThreads + kWarpgroupThreads)
      pairs[i] = Element::pack(1.0f, 1.0f);
    publish_to_async_proxy();
  }
  __device__ __forceinline__ u32 bytes_behind(u32 address) const { return shared_address(pairs) - address; }
};
