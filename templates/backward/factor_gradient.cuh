#pragma once

#include "backward/gradient.cuh"
#include "backward/products.cuh"

// The gradient of the rows of one side of a low-rank bias: score gradients times the factors of the other side.
template <int Rank>
struct FactorGradient {
  Accumulator<Rank> sums;

  __device__ FactorGradient() { clear(sums); }

  __device__ __forceinline__ void add(const Scores& gradients, const SharedTile<kBlock, Rank>& columns, int first) {
    multiply_columns<Rank>(sums, gradients, columns, first);
  }
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
