#pragma once

#include "bf16.cuh"
#include "fragments.cuh"
#include "hopper/async_proxy.cuh"
#include "hopper/products.cuh"
#include "hopper/swizzled_tile.cuh"
#include "hopper/warpgroup.cuh"

// slope x (place of a key in its tile), added to scores by one more product instead of an instruction a score. Both are
// exact in bf16, whatever the scores are made of: the slope as the sum of three parts, a place up to 256.
struct SlopeProducts {
  static_assert(kBlockK <= 256);

  SwizzledTile<8, 16> parts;  // of the slope, eight times
  SwizzledTile<kBlockK, 16> places;

  // Once; before a barrier of all threads.
  __device__ __forceinline__ void fill_places() {
    for (int key = static_cast<int>(threadIdx.x); key < kBlockK; key += kThreads + kWarpgroupThreads) {
      const u32 place = Bf16::pack(static_cast<float>(key), static_cast<float>(key));
      places.write_chunk(key, 0, make_uint4(place, place, 0, 0));
      places.write_chunk(key, 8, make_uint4(0, 0, 0, 0));
    }
    publish_to_async_proxy();
  }

  // Once a block; between barriers of the warpgroups that compute.
  __device__ __forceinline__ void store(float slope) {
    if (threadIdx.x >= 8) return;
    const float high = rounded(slope);
    const float middle = rounded(slope - high);
    const float low = slope - high - middle;
    const int row = static_cast<int>(threadIdx.x);
    parts.write_chunk(row, 0, make_uint4(Bf16::pack(high, middle), Bf16::pack(low, 0.0f), 0, 0));
    parts.write_chunk(row, 8, make_uint4(0, 0, 0, 0));
    publish_to_async_proxy();
  }

  // Starts scores += slope x place. All groups of eight rows of the left operand are the same eight.
  __device__ __forceinline__ void multiply(Scores& scores) const {
    constexpr unsigned long long kDistanceOfGroups = 0x3fffull << 32;
    multiply_places(scores[0], parts.descriptor() & ~kDistanceOfGroups, places.descriptor());
  }

 private:
  static __device__ __forceinline__ float rounded(float x) {
    float low, high;
    Bf16::unpack(low, high, Bf16::pack(x, 0.0f));
    return low;
  }
};
