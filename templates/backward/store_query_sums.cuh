#pragma once

#include "backward/distinct_heads.cuh"
#include "backward/query_sums_chunk.cuh"
#include "backward/row_kernels.cuh"
#include "block.cuh"

// Groups of kShareThreads of the grid have some of the tiles of sums each, one after the other.
constexpr int kGroupsOfBlock = kRowKernelThreads / kShareThreads;
__device__ __forceinline__ int group_of_grid() {
  return static_cast<int>(blockIdx.x) * kGroupsOfBlock + static_cast<int>(threadIdx.x) / kShareThreads;
}
__device__ __forceinline__ int groups_of_grid() { return static_cast<int>(gridDim.x) * kGroupsOfBlock; }
__device__ __forceinline__ int thread_of_group() { return static_cast<int>(threadIdx.x) % kShareThreads; }

__device__ __forceinline__ void store_d_q(const Parameters& p) {
  using Chunk = QuerySumsChunk<kHeadDim>;
  for (int tile = group_of_grid(); tile < p.all_q_tiles; tile += groups_of_grid()) {
    const BlockRows block(p, static_cast<u32>(tile));
    const float* all = p.workspace + p.sums_begin + i64{tile} * QuerySums<kHeadDim>::kTile;
    u16* d_q = p.d_q + block.batch * p.d_q_batch_stride + block.head * p.d_q_head_stride;
#pragma unroll
    for (int pair = 0; pair < Chunk::kPairs; ++pair) {
      const Chunk chunk(all, pair, thread_of_group());
      const int row = block.q_start + chunk.row;
      if (row >= block.q_end || chunk.column >= kHeadDim) continue;
      u32 packed[4];
#pragma unroll
      for (int i = 0; i < 4; ++i)
        packed[i] = Element::pack(chunk.sums[2 * i] * p.softmax_scale, chunk.sums[2 * i + 1] * p.softmax_scale);
      *reinterpret_cast<uint4*>(d_q + row * p.d_q_row_stride + chunk.column) = {packed[0], packed[1], packed[2],
                                                                                packed[3]};
    }
  }
}

// Of factors: batch items and heads that share these share the sums.
template <int Rank>
__device__ __forceinline__ void store_factor_gradient(const Parameters& p, i64 first, i64 end,
                                                      const Gradient& gradient) {
  using Chunk = QuerySumsChunk<Rank>;
  const int tiles = static_cast<int>((end - first) / QuerySums<Rank>::kTile);
  for (int tile = group_of_grid(); tile < tiles; tile += groups_of_grid()) {
    const DistinctHeads factors(p, gradient);
    const int head = tile / p.q_tiles;
    const BlockRows block(p, head / factors.heads, head % factors.heads, tile % p.q_tiles);
#pragma unroll
    for (int pair = 0; pair < Chunk::kPairs; ++pair) {
      const Chunk chunk(p.workspace + first + i64{tile} * QuerySums<Rank>::kTile, pair, thread_of_group());
      const int row = block.q_start + chunk.row;
      if (row < block.q_end) gradient.store<Rank>(block.batch, block.head, row, chunk.column, chunk.sums);
    }
  }
}
