#pragma once

#include "backward/column_shares.cuh"
#include "backward/distinct_heads.cuh"
#include "backward/row_kernels.cuh"
#include "block.cuh"

// The shares of all keys are added up in f32 and as they lie in registers: a tile of queries after the other, the
// shares of a tile behind each other, and of these one block of eight columns after the other. Of a block each thread
// has two neighbouring columns of two rows: four numbers.
struct SumsOfThread {
  static __device__ __forceinline__ void add(float* block, int thread, const float (&addends)[4]) {
    if constexpr (kAddsFours) {
      asm volatile("red.relaxed.gpu.global.add.v4.f32 [%0], {%1, %2, %3, %4};" ::"l"(block + 4 * thread),
                   "f"(addends[0]), "f"(addends[1]), "f"(addends[2]), "f"(addends[3]));
    } else {
#pragma unroll
      for (int e = 0; e < 4; ++e) atomicAdd(block + e * kShareThreads + thread, addends[e]);
    }
  }
  static __device__ __forceinline__ float4 load(const float* block, int thread) {
    if constexpr (kAddsFours) return reinterpret_cast<const float4*>(block)[thread];
    return {block[thread], block[kShareThreads + thread], block[2 * kShareThreads + thread],
            block[3 * kShareThreads + thread]};
  }
};

template <int Columns>
struct QuerySums {
  static constexpr int kBlockSize = 4 * kShareThreads;
  static constexpr int kBlocksOfShare = query_share_columns(Columns) / 8;
  static constexpr int kBlocks = kColumnShares * kBlocksOfShare;
  static constexpr int kTile = kBlocks * kBlockSize;

  // One of the shares of a tile.
  static __device__ __forceinline__ void add(float* sums, int tile, int part, const QueryShare<Columns>& share) {
    float* block = sums + (i64{tile} * kColumnShares + part) * (kBlocksOfShare * kBlockSize);
#pragma unroll
    for (int n = 0; n < kBlocksOfShare; ++n)
      SumsOfThread::add(block + n * kBlockSize, static_cast<int>(threadIdx.x) % kShareThreads, share[n]);
  }
};

// Eight columns of a row of sums, for each thread of the four that have them in pieces, with those of a second row and
// of the columns behind.
template <int Columns>
struct QuerySumsChunk {
  using Sums = QuerySums<Columns>;
  static constexpr int kPairs = (Sums::kBlocks + 1) / 2;

  int row, column;  // of the tile
  float sums[8];

  // Of a pair of blocks, by one of kShareThreads.
  __device__ __forceinline__ QuerySumsChunk(const float* tile, int pair, int thread) {
    const float* block = tile + 2 * pair * Sums::kBlockSize;
    const float4 first = SumsOfThread::load(block, thread);
    const float4 second =
        2 * pair + 1 < Sums::kBlocks ? SumsOfThread::load(block + Sums::kBlockSize, thread) : float4{};
    const float pieces[4][2] = {{first.x, first.y}, {first.z, first.w}, {second.x, second.y}, {second.z, second.w}};
    transpose(pieces, thread % 4);
    row = thread / 32 * 16 + thread % 2 * 8 + thread % 32 / 4;
    column = (2 * pair + thread % 4 / 2) * 8;
  }

 private:
  // Each of four lanes has a piece of four chunks, and shall have those of one.
  __device__ __forceinline__ void transpose(const float (&pieces)[4][2], int lane) {
    const bool odd = lane % 2 == 1;
    const bool late = lane / 2 == 1;
    float of_two[2][2][2];  // of the lanes of two, of the chunks that this one and the one two lanes off shall have
#pragma unroll
    for (int e = 0; e < 2; ++e)
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        const float kept = pieces[2 * i + (odd ? 1 : 0)][e];
        const float other = __shfl_xor_sync(0xffffffffu, pieces[2 * i + (odd ? 0 : 1)][e], 1);
        of_two[i][0][e] = odd ? other : kept;
        of_two[i][1][e] = odd ? kept : other;
      }
#pragma unroll
    for (int e = 0; e < 2; ++e)
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        const float kept = late ? of_two[1][i][e] : of_two[0][i][e];
        const float other = __shfl_xor_sync(0xffffffffu, late ? of_two[0][i][e] : of_two[1][i][e], 2);
        sums[2 * i + e] = late ? other : kept;
        sums[4 + 2 * i + e] = late ? kept : other;
      }
  }
};

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
