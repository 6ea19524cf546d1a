#pragma once

#include "backward/gradient.cuh"
#include "backward/tiles.cuh"

// The gradient of the rows of one side of a low-rank bias: score gradients times the factors of the other side.
template <int Rank>
struct FactorSums {
  Accumulator<Rank> sums;

  __device__ FactorSums() { clear(sums); }

  __device__ __forceinline__ void write(const Gradient& gradient, int batch, int head, int start, int end) const {
#pragma unroll
    for (int n = 0; n < round_up(Rank, 16) / 8; ++n)
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        const int row = start + row_of_slot(e / 2);
        const int column = column_of_tile(n) + e % 2;
        if (row < end && column < Rank) gradient.add(batch, head, row, column, sums[n][e]);
      }
  }
};
