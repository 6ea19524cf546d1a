#pragma once

#include "fragments.cuh"
#include "publishers.cuh"

// A bias that depends on kv_index - q_index alone: one number for each diagonal that crosses the tile, computed once a
// tile.
struct Diagonals {
  static constexpr int kCount = kBlockQ + kBlockK - 1;
  static constexpr int kPerThread = (kCount + kPublishers - 1) / kPublishers;

  float values[kPublishedTiles][kCount];

  // Difference kv_index - q_index of the diagonal that a thread evaluates.
  static __device__ int difference(int kv_start, int q_start, int i) {
    return kv_start - q_start + publisher() + i * kPublishers - (kBlockQ - 1);
  }
  __device__ __forceinline__ void store(int stage, const float (&computed)[kPerThread]) {
#pragma unroll
    for (int i = 0; i < kPerThread; ++i) {
      const int index = publisher() + i * kPublishers;
      if (index < kCount) values[stage][index] = computed[i];
    }
  }
  __device__ __forceinline__ float at(int stage, int row, int column) const {
    return values[stage][column - row + kBlockQ - 1];
  }
};
