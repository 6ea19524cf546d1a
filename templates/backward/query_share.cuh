#pragma once

#include "backward/products.cuh"
#include "backward/query_sums.cuh"

// A warp has columns of some queries of a tile: all, or some of those of 32 queries.
constexpr int kShareRowTiles = 16 * kWarps == kBlockQ ? 1 : 2;
constexpr int kShareRows = 16 * kShareRowTiles;
constexpr int kWarpsOfColumns = kWarps * kShareRows / kBlockQ;

// Adds gradients^T keys, over the keys of a tile, to the sums of a tile of queries.
template <int Columns>
__device__ __forceinline__ void add_query_share(float* sums, int tile, const ScoreTile& gradients,
                                                const SharedTile<kBlockK, Columns>& keys) {
  using Tile = SharedTile<kBlockK, Columns>;
  using Sums = QuerySums<Columns>;
  constexpr int kBlocks = round_up(Sums::kBlocks, kWarpsOfColumns) / kWarpsOfColumns;  // of a warp
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const int first_query = warp % (kBlockQ / kShareRows) * kShareRows;
  const int first_block = warp / (kBlockQ / kShareRows) * kBlocks;
  if (first_block >= Sums::kBlocks) return;
  const u32 gradient_lane = gradients.column_major_lane(0) + ScoreTile::offset(0, first_query);
  const u32 key_lane = keys.row_major_lane(0) + Tile::offset(0, 8 * first_block);
  float share[kShareRowTiles][round_up(kBlocks, 2)][4];
#pragma unroll
  for (int m = 0; m < kShareRowTiles; ++m) clear(share[m]);
#pragma unroll
  for (int key = 0; key < kBlockK; key += 16) {
    u32 left[kShareRowTiles][4];
#pragma unroll
    for (int m = 0; m < kShareRowTiles; ++m)
      load_matrices_transposed(left[m], gradient_lane + ScoreTile::offset(key, 16 * m));
#pragma unroll
    for (int n = 0; n < kBlocks; n += 2) {
      u32 right[4];
      load_matrices_transposed(right, key_lane + Tile::offset(key, 8 * n));
#pragma unroll
      for (int m = 0; m < kShareRowTiles; ++m) {
        Element::multiply_accumulate(share[m][n], left[m], right[0], right[1]);
        if (n + 1 < kBlocks) Element::multiply_accumulate(share[m][n + 1], left[m], right[2], right[3]);
      }
    }
  }
  float* block = sums + i64{tile} * Sums::kTile + first_block * Sums::kBlockSize;
#pragma unroll
  for (int n = 0; n < kBlocks; ++n, block += Sums::kBlockSize)
#pragma unroll
    for (int m = 0; m < kShareRowTiles; ++m)
      if (first_block + n < Sums::kBlocks)
        SumsOfThread::add(block, 2 * (first_query + 16 * m) + static_cast<int>(threadIdx.x) % 32, share[m][n]);
}
