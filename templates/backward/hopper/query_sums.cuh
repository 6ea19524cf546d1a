#pragma once

#include "backward/hopper/query_share.cuh"
#include "backward/hopper/store_rows.cuh"
#include "block.cuh"

// Gradients of queries are added up by all that own keys, in f32 and as they lie in registers: a tile after the other,
// a warpgroup's half after the other, four elements a thread.
struct QuerySums {
  static constexpr int kColumns = query_share_columns(kHeadDim);
  static constexpr int kTiles = kColumns / 8;
  static constexpr int kHalfTile = kBlock * kColumns;
  using Share = float[kTiles][4];

  static __device__ __forceinline__ float* of_thread(const Parameters& p, int tile, int half) {
    return p.d_q_sums + (i64{2} * tile + half) * kHalfTile + threadIdx.x % kWarpgroupThreads * 4;
  }
  static __device__ __forceinline__ void add(const Parameters& p, int tile, const Share& share) {
    float* to = of_thread(p, tile, warpgroup());
#pragma unroll
    for (int n = 0; n < kTiles; ++n)
      asm volatile("red.relaxed.gpu.global.add.v4.f32 [%0], {%1, %2, %3, %4};" ::"l"(to + n * kWarpgroupThreads * 4),
                   "f"(share[n][0]), "f"(share[n][1]), "f"(share[n][2]), "f"(share[n][3]));
  }

  // The sums become rows of d_q: a half of a tile a warpgroup.
  static __device__ __forceinline__ void store(const Parameters& p, int index) {
    const int half_tile = index * (kWarpgroups + 1) + warpgroup();
    if (half_tile >= 2 * p.all_q_tiles) return;
    const Block block(p, half_tile / 2);
    const int first_column = half_tile % 2 * kColumns;
    const float* from = of_thread(p, half_tile / 2, half_tile % 2);
    Share sums;
#pragma unroll
    for (int n = 0; n < kTiles; ++n)
      *reinterpret_cast<float4*>(sums[n]) = *reinterpret_cast<const float4*>(from + n * kWarpgroupThreads * 4);
    store_columns(sums, kHeadDim - first_column, p.softmax_scale,
                  p.d_q + block.batch * p.d_q_batch_stride + block.head * p.d_q_head_stride +
                      block.q_start * p.d_q_row_stride + first_column,
                  p.d_q_row_stride, block.q_end - block.q_start);
  }
};
