#pragma once

#include "backward/gradient.cuh"
#include "backward/hopper/query_share.cuh"
#include "backward/hopper/row_kernels.cuh"
#include "block.cuh"

// The shares of all keys are added up in f32 and as they lie in registers: a tile of queries after the other, the half
// of a warpgroup after the other, four elements of each of its threads. A thread has two neighbouring columns of two
// rows of each 16x8 block.
template <int Columns>
struct QuerySums {
  static constexpr int kColumns = query_share_columns(Columns);
  static constexpr int kTiles = kColumns / 8;
  static constexpr int kHalfTile = kBlock * kColumns;
  static constexpr int kTile = 2 * kHalfTile;

  static __device__ __forceinline__ void add(float* sums, int tile, const QueryShare<Columns>& share) {
    float* to = sums + (i64{2} * tile + uniform_warpgroup()) * kHalfTile + threadIdx.x % kWarpgroupThreads * 4;
#pragma unroll
    for (int n = 0; n < kTiles; ++n)
      asm volatile("red.relaxed.gpu.global.add.v4.f32 [%0], {%1, %2, %3, %4};" ::"l"(to + n * kWarpgroupThreads * 4),
                   "f"(share[n][0]), "f"(share[n][1]), "f"(share[n][2]), "f"(share[n][3]));
  }
};

// Two rows of eight columns, which four threads of a warpgroup had.
template <int Columns>
struct QuerySumsChunk {
  using Sums = QuerySums<Columns>;
  static constexpr int kChunks = Sums::kTiles * kBlock / 2;  // of half a tile

  int tile, first_column;
  int rows[2];  // of the tile
  float sums[2][8];

  __device__ __forceinline__ QuerySumsChunk(const float* all, i64 index) {
    const int half_tile = static_cast<int>(index / kChunks);
    const int chunk = static_cast<int>(index % kChunks);
    const int n = chunk % Sums::kTiles;
    const int lanes = chunk / Sums::kTiles;  // as many fours of threads are before these
    tile = half_tile / 2;
    first_column = half_tile % 2 * Sums::kColumns + n * 8;
    rows[0] = lanes / 8 * 16 + lanes % 8;
    rows[1] = rows[0] + 8;
    const float4* from =
        reinterpret_cast<const float4*>(all + i64{half_tile} * Sums::kHalfTile) + n * kWarpgroupThreads + lanes * 4;
#pragma unroll
    for (int lane = 0; lane < 4; ++lane) {
      const float4 of_lane = from[lane];
      sums[0][2 * lane] = of_lane.x;
      sums[0][2 * lane + 1] = of_lane.y;
      sums[1][2 * lane] = of_lane.z;
      sums[1][2 * lane + 1] = of_lane.w;
    }
  }
  static __device__ __forceinline__ i64 count(const Parameters& p) { return i64{2} * p.all_q_tiles * kChunks; }
};

// Each thread of the grid has some of the chunks, of one after the other.
__device__ __forceinline__ i64 thread_of_grid() { return i64{blockIdx.x} * blockDim.x + threadIdx.x; }
__device__ __forceinline__ i64 threads_of_grid() { return i64{gridDim.x} * blockDim.x; }

__device__ __forceinline__ void store_d_q(const Parameters& p) {
  using Chunk = QuerySumsChunk<kHeadDim>;
  for (i64 i = thread_of_grid(); i < Chunk::count(p); i += threads_of_grid()) {
    const Chunk chunk(p.query_sums, i);
    if (chunk.first_column >= kHeadDim) continue;
    const Block block(p, chunk.tile);
    u16* d_q = p.d_q + block.batch * p.d_q_batch_stride + block.head * p.d_q_head_stride + chunk.first_column;
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      const int row = block.q_start + chunk.rows[r];
      const float(&sums)[8] = chunk.sums[r];
      if (row < block.q_end)
        *reinterpret_cast<uint4*>(d_q + row * p.d_q_row_stride) = {
            Element::pack(sums[0] * p.softmax_scale, sums[1] * p.softmax_scale),
            Element::pack(sums[2] * p.softmax_scale, sums[3] * p.softmax_scale),
            Element::pack(sums[4] * p.softmax_scale, sums[5] * p.softmax_scale),
            Element::pack(sums[6] * p.softmax_scale, sums[7] * p.softmax_scale)};
    }
  }
}

template <int Rank>
__device__ __forceinline__ void store_factor_gradient(const Parameters& p, const float* all, const Gradient& gradient) {
  using Chunk = QuerySumsChunk<Rank>;
  for (i64 i = thread_of_grid(); i < Chunk::count(p); i += threads_of_grid()) {
    const Chunk chunk(all, i);
    const Block block(p, chunk.tile);
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      const int row = block.q_start + chunk.rows[r];
#pragma unroll
      for (int c = 0; c < 8; ++c)
        if (row < block.q_end && chunk.first_column + c < Rank)
          gradient.add(block.batch, block.head, row, chunk.first_column + c, chunk.sums[r][c]);
    }
  }
}
