#pragma once

#include "backward/gradient.cuh"
#include "backward/hopper/exchange.cuh"

// What the keys of a thread block add to sums over all keys, for each query of a tile: score gradients times columns of
// the keys. Each of the two warpgroups has half of the columns.
static_assert(kWarpgroups == 2);
__host__ __device__ constexpr int query_share_columns(int columns) {
  return columns > 64 ? 64 : round_up(columns, 16) / 2;
}

// Of the keys of one warpgroup, by each; the first begins anew.
template <int Columns>
__device__ __forceinline__ void add_query_share(float (&sums)[query_share_columns(Columns) / 8][4],
                                                const GradientTile& gradients,
                                                const SwizzledTile<kBlock, Columns>& keys, bool accumulate) {
  using Keys = SwizzledTile<kBlock, Columns>;
  const unsigned long long a = gradients.descriptor();
  const unsigned long long b = keys.descriptor() + warpgroup() * Keys::column_step(query_share_columns(Columns));
#pragma unroll
  for (int row = 0; row < kBlock; row += 16)
    multiply_transposed(sums, a + GradientTile::row_step(row), b + Keys::row_step(row), accumulate || row != 0);
}

// Of the gradient of factors.
template <int Rank>
struct QueryFactorShare {
  static constexpr int kColumns = query_share_columns(Rank);

  float sums[kColumns / 8][4];

  __device__ __forceinline__ void pin_sums() { pin(sums); }
  __device__ __forceinline__ void add(const GradientTile& gradients, const SwizzledTile<kBlock, Rank>& keys,
                                      bool accumulate) {
    add_query_share<Rank>(sums, gradients, keys, accumulate);
  }
  __device__ __forceinline__ void write(const Gradient& gradient, int batch, int head, int start, int end) const {
#pragma unroll
    for (int n = 0; n < kColumns / 8; ++n)
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        const int row = start + row_of_slot(e / 2);
        const int column = warpgroup() * kColumns + column_of_tile(n) + e % 2;
        if (row < end && column < Rank) gradient.add(batch, head, row, column, sums[n][e]);
      }
  }
};
