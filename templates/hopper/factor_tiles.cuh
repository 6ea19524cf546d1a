#pragma once

#include "hopper/products.cuh"
#include "hopper/swizzled_tile.cuh"
#include "hopper/warpgroup.cuh"
#include "hopper/wgmma.cuh"
#include "scale_scores.cuh"

// A low-rank bias dot(q_factors_i, k_factors_j): tiles of their own, more wgmma steps into the same scores.
template <int Rank>
struct FactorTiles {
  using Queries = SwizzledTile<kBlockQ, Rank>;
  using Keys = SwizzledTile<kBlockK, Rank>;

  Queries q;
  Keys k[kStages];

  // Starts scores += q k^T; scores = q k^T by the first tiles of all.
  __device__ __forceinline__ void multiply(Scores& scores, int stage, bool first) const {
    const unsigned long long rows = q.descriptor(warpgroup() * kWarpgroupRows);
    const unsigned long long keys = k[stage].descriptor();
#pragma unroll
    for (int column = 0; column < Rank; column += 16)
      multiply_scores(scores[0], rows + Queries::column_step(column), keys + Keys::column_step(column),
                      !first || column != 0);
  }
};
