#pragma once

#include "backward/gradient.cuh"
#include "backward/products.cuh"

// The gradient of the rows of one side of a low-rank bias: score gradients times the factors of the other side.
template <int Rank>
struct FactorGradient {
  Accumulator<Rank> sums[kRowTiles];

  __device__ FactorGradient() { clear(sums); }

  __device__ __forceinline__ void add(const RowScores& gradients, const SharedTile<kBlockQ, Rank>& columns, int first) {
    multiply_columns<Rank>(sums, gradients, columns, first);
  }
  template <class To>
  __device__ __forceinline__ void write(const To& gradient, int batch, int head, int start, int end) const {
#pragma unroll
    for (int slot = 0; slot < kRowSlots; ++slot)
#pragma unroll
      for (int n = 0; n < round_up(Rank, 16) / 8; ++n)
#pragma unroll
        for (int c = 0; c < 2; ++c) {
          const int row = start + row_of_slot(slot);
          const int column = column_of_tile(n) + c;
          if (row < end && column < Rank) gradient.add(batch, head, row, column, sums[slot / 2][n][slot % 2 * 2 + c]);
        }
  }
};
