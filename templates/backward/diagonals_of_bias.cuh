#pragma once

#include "backward/bias.cuh"

// What a bias adds along diagonals of the matrix of scores: one number for each that crosses a tile of so many rows and
// columns, whichever of them are the queries; the one with the smallest kv_index - q_index first.
template <int Rows, int Columns>
struct Diagonals {
  static constexpr int kCount = Rows + Columns - 1;

  float values[kCount];

  // Those that one of several threads finds.
  template <int Threads>
  struct Share {
    static constexpr int kNumbers = (kCount + Threads - 1) / Threads;

    float values[kNumbers];

    __device__ __forceinline__ Share(const Parameters& p, const Block& block, const HeadTerms& head, int thread,
                                     int kv_start, int last_query) {
#pragma unroll
      for (int i = 0; i < kNumbers; ++i)
        values[i] = diagonal_bias(p, block, head, kv_start - last_query + thread + i * Threads);
    }
  };
  template <int Threads>
  __device__ __forceinline__ void store(const Share<Threads>& share, int thread) {
#pragma unroll
    for (int i = 0; i < Share<Threads>::kNumbers; ++i)
      if (thread + i * Threads < kCount) values[thread + i * Threads] = share.values[i];
  }

  __device__ __forceinline__ float at(int diagonal) const { return values[diagonal]; }
};
