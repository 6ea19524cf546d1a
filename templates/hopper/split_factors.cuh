#pragma once

#include "fragments.cuh"
#include "hopper/async_proxy.cuh"
#include "hopper/products.cuh"
#include "hopper/swizzled_tile.cuh"
#include "hopper/warpgroup.cuh"
#include "split_columns.cuh"

// Factors that the kernel computes: those of the queries once a block, those of the keys by the publishers.
template <int Rank, int Parts>
struct SplitFactors {
  using Columns = SplitColumns<Rank, Parts>;
  using Queries = SwizzledTile<kBlockQ, Columns::kColumns>;
  using Keys = SwizzledTile<kBlockK, Columns::kColumns>;

  Queries q;
  Keys k[kStages];

  __device__ __forceinline__ void store_query(int row, const float (&factors)[Rank]) {
    store(q, row, Columns::of_query(factors));
  }
  __device__ __forceinline__ void store_key(int stage, int row, const float (&factors)[Rank]) {
    store(k[stage], row, Columns::of_key(factors));
  }

  // Starts scores += q k^T.
  __device__ __forceinline__ void multiply(Scores& scores, int stage) const {
    const unsigned long long rows = q.descriptor(warpgroup() * kWarpgroupRows);
    const unsigned long long keys = k[stage].descriptor();
#pragma unroll
    for (int column = 0; column < Columns::kColumns; column += 16)
      multiply_parts(scores[0], rows + Queries::column_step(column), keys + Keys::column_step(column));
  }

 private:
  template <class Tile>
  static __device__ __forceinline__ void store(Tile& tile, int row, const Columns& columns) {
#pragma unroll
    for (int i = 0; i < Columns::kChunks; ++i) tile.write_chunk(row, 8 * i, columns.chunks[i]);
    publish_to_async_proxy();
  }
};
