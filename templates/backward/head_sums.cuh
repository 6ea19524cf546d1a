#pragma once

#include "backward/distinct_heads.cuh"
#include "backward/row_kernels.cuh"
#include "backward/sums.cuh"
#include "block.cuh"

// Sums over all queries of a head, of which a warp finds those of eight rows at a time. Where they have to be the same
// bits in every run, these lie beside each other in the workspace until all are there.
struct HeadSums {
  static constexpr int kRows = 8;

  static __device__ __forceinline__ int parts_of_head(const Parameters& p) { return p.q_tiles * (kBlockQ / kRows); }

  // By a whole warp; q_index is that of its lane.
  static __device__ __forceinline__ void store(const Parameters& p, i64 first, const Block& block, int q_index,
                                               float sum) {
    if (threadIdx.x % 32 != 0 || block.q_start >= block.q_end) return;
    const i64 head = block.batch * i64{p.heads} + block.head;
    p.workspace[first + head * parts_of_head(p) + q_index / kRows] = sum;
  }

  // A warp for each head that has a gradient of its own.
  static __device__ __forceinline__ void add_up(const Parameters& p, i64 first, const Gradient& gradient) {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    const DistinctHeads distinct(p, gradient);
    const int index = static_cast<int>(thread_of_grid() / 32);
    if (index >= distinct.count()) return;
    const int heads = p.all_q_tiles / p.q_tiles;
    const int parts = parts_of_head(p);
    float sum = 0.0f;
    for (int head = 0; head < heads; ++head) {
      if (distinct.index(head / p.heads, head % p.heads) != index) continue;
      const float* of_head = p.workspace + first + i64{head} * parts;
      for (int i = lane; i < parts; i += 32) sum += of_head[i];
    }
    sum = sum_of_warp(sum);
    if (lane == 0) *gradient.row(index / distinct.heads, index % distinct.heads, 0) = sum;
  }
};
