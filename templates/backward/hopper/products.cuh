#pragma once

#include "backward/tiles.cuh"
#include "hopper/products.cuh"
#include "hopper/swizzled_tile.cuh"
#include "hopper/warpgroup.cuh"

constexpr int kWarpgroups = kThreads / kWarpgroupThreads;  // that compute

// Rows of a warpgroup, and columns of a tile.
constexpr int kBlock = kBlockQ;
static_assert(kBlockQ == kBlockK, "both sides take turns at being rows and columns");

// Scores += rows columns^T, or scores = rows columns^T by the first of all; of a tile of rows and one of columns.
template <int Depth, int StripColumns>
__device__ __forceinline__ void multiply_rows(Scores& scores, const SwizzledTile<kBlock, Depth, StripColumns>& rows,
                                              const SwizzledTile<kBlock, Depth, StripColumns>& columns,
                                              bool accumulate) {
  using Tile = SwizzledTile<kBlock, Depth, StripColumns>;
  const unsigned long long a = rows.descriptor();
  const unsigned long long b = columns.descriptor();
#pragma unroll
  for (int depth = 0; depth < Depth; depth += 16)
    multiply_scores(scores, a + Tile::column_step(depth), b + Tile::column_step(depth), accumulate || depth != 0);
}

__device__ __forceinline__ void scale_scores(Scores& scores, float scale) {
#pragma unroll
  for (int n = 0; n < kColumnsAtOnce / 8; ++n)
#pragma unroll
    for (int e = 0; e < 4; ++e) scores[n][e] *= scale;
}

// Scores as a left operand, whose layout is theirs.
using LeftOperand = u32[kColumnsAtOnce / 16][4];

__device__ __forceinline__ void pack(LeftOperand& packed, const Scores& scores) {
#pragma unroll
  for (int n = 0; n < kColumnsAtOnce / 8; ++n) {
    packed[n / 2][n % 2 * 2] = Element::pack(scores[n][0], scores[n][1]);
    packed[n / 2][n % 2 * 2 + 1] = Element::pack(scores[n][2], scores[n][3]);
  }
}

// sums += left right, over the rows of a tile.
template <int Columns>
__device__ __forceinline__ void multiply_columns(Accumulator<Columns>& sums, const LeftOperand& left,
                                                 const SwizzledTile<kBlock, Columns>& right) {
  const unsigned long long b = right.descriptor();
#pragma unroll
  for (int row = 0; row < kBlock; row += 16)
    multiply_output(sums, left[row / 16], b + SwizzledTile<kBlock, Columns>::row_step(row));
}
// And sums of factors, which lie behind the columns.
template <int Columns, int Rank>
__device__ __forceinline__ void multiply_columns(Accumulator<Columns>& sums, Accumulator<Rank>& of_factors,
                                                 const LeftOperand& left, const SwizzledTile<kBlock, Columns>& right) {
  const unsigned long long b = right.descriptor();
#pragma unroll
  for (int row = 0; row < kBlock; row += 16)
    multiply_output(sums, of_factors, left[row / 16], b + SwizzledTile<kBlock, Columns>::row_step(row));
}
