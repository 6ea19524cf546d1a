#pragma once

#include "element.cuh"
#include "hopper/async_proxy.cuh"
#include "hopper/swizzled_tile.cuh"
#include "hopper/wait_for_warpgroup.cuh"
#include "hopper/warpgroup.cuh"

// Whether 16-bit numbers can be multiplied by it without a rounding: what they lose below the least normal number is
// nothing beside the bias.
__device__ __forceinline__ bool is_power_of_two_up_to_one(float x) {
  return x <= 1.0f && (__float_as_uint(x) & 0x7fffffu) == 0;
}

// Multiplies the rows of this warpgroup, for wgmma. Swizzled or not, their elements are the same.
template <int Rows, int Columns>
__device__ __forceinline__ void scale_rows(SwizzledTile<Rows, Columns>& tile, float by) {
  using Tile = SwizzledTile<Rows, Columns>;
  constexpr int kPairs = kWarpgroupRows * Tile::kRowBytes / 4;
#pragma unroll
  for (int strip = 0; strip < Tile::kStrips; ++strip) {
    u32* pairs = reinterpret_cast<u32*>(tile.bytes + strip * Tile::kStripBytes) + warpgroup() * kPairs;
#pragma unroll 4
    for (int i = static_cast<int>(threadIdx.x) % kWarpgroupThreads; i < kPairs; i += kWarpgroupThreads) {
      float low, high;
      Element::unpack(low, high, pairs[i]);
      pairs[i] = Element::pack(low * by, high * by);
    }
  }
  publish_to_async_proxy();
  wait_for_warpgroup();
}
