#pragma once

#include "backward/column_shares.cuh"
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
