#pragma once

#include "backward/column_shares.cuh"
#include "backward/hopper/exchange.cuh"
#include "hopper/uniform_warpgroup.cuh"

// Score gradients times columns of the keys. Where registers have room, each of two warpgroups has all columns of every
// second tile, else half of the columns of each: narrow products wait for shared memory, as each reads the gradients
// anew.
constexpr int kShareTiles = kColumnShares == 1 ? kWarpgroups : 1;

// Of the keys of one warpgroup, by each; the first begins anew.
template <int Columns>
__device__ __forceinline__ void add_query_share(QueryShare<Columns>& share, const GradientTile& gradients,
                                                const SwizzledTile<kBlock, Columns>& keys, bool accumulate) {
  using Keys = SwizzledTile<kBlock, Columns>;
  const unsigned long long a = gradients.descriptor();
  unsigned long long b = keys.descriptor();
  if constexpr (kColumnShares > 1) b += uniform_warpgroup() * Keys::column_step(query_share_columns(Columns));
#pragma unroll
  for (int row = 0; row < kBlock; row += 16)
    multiply_transposed(share, a + GradientTile::row_step(row), b + Keys::row_step(row), accumulate || row != 0);
}
// And of factors, which lie behind the keys.
template <int Columns, int Rank>
__device__ __forceinline__ void add_query_share(QueryShare<Columns>& share, QueryShare<Rank>& of_factors,
                                                const GradientTile& gradients,
                                                const SwizzledTile<kBlock, Columns>& keys, bool accumulate) {
  const unsigned long long a = gradients.descriptor();
  const unsigned long long b = keys.descriptor();
#pragma unroll
  for (int row = 0; row < kBlock; row += 16)
    multiply_transposed(share, of_factors, a + GradientTile::row_step(row),
                        b + SwizzledTile<kBlock, Columns>::row_step(row), accumulate || row != 0);
}
