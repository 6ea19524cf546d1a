#pragma once

#include "backward/gradient.cuh"
#include "backward/hopper/products.cuh"

// The gradient of the rows of one side of a low-rank bias: score gradients times the factors of the other side.
template <int Rank>
struct FactorGradient {
  Accumulator<Rank> sums;

  __device__ FactorGradient() { clear(sums); }

  __device__ __forceinline__ void pin_sums() { pin(sums); }
  template <class Gradients>
  __device__ __forceinline__ void add(const Gradients& gradients, const SwizzledTile<kBlock, Rank>& columns) {
    multiply_columns<Rank>(sums, gradients, columns);
  }
  // Two lanes that have two columns of two rows each take four columns of one.
  template <class To>
  __device__ __forceinline__ void write(const To& gradient, int batch, int head, int start, int end) const {
    const bool odd = threadIdx.x % 2 == 1;
    const int row = start + row_of_slot(odd ? 1 : 0);
#pragma unroll
    for (int n = 0; n < round_up(Rank, 16) / 8; ++n) {
      const float(&own)[4] = sums[n];
      const float first = __shfl_xor_sync(0xffffffffu, odd ? own[0] : own[2], 1);
      const float second = __shfl_xor_sync(0xffffffffu, odd ? own[1] : own[3], 1);
      const float4 four = odd ? float4{first, second, own[2], own[3]} : float4{own[0], own[1], first, second};
      const int column = column_of_tile(n) & ~2;
      if (row < end && column < Rank) gradient.template add_four<Rank>(batch, head, row, column, four);
    }
  }
};
