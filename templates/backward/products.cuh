#pragma once

#include "backward/tiles.cuh"

// scores += rows columns^T: this warp's rows of one tile, kColumnsAtOnce rows of the other from `first` on.
template <int Depth>
__device__ __forceinline__ void multiply_rows(Scores& scores, const SharedTile<kBlock, Depth>& rows,
                                              const SharedTile<kBlock, Depth>& columns, int first) {
  using Tile = SharedTile<kBlock, Depth>;
  const u32 row_lane = rows.row_major_lane(threadIdx.x / 32 * 16);
  const u32 column_lane = columns.column_major_lane(first);
#pragma unroll
  for (int depth = 0; depth < Tile::kPaddedColumns; depth += 16) {
    u32 row_fragment[4];
    load_matrices(row_fragment, row_lane + Tile::offset(0, depth));
#pragma unroll
    for (int n = 0; n < kColumnsAtOnce / 8; n += 2) {
      u32 column_fragment[4];
      load_matrices(column_fragment, column_lane + Tile::offset(8 * n, depth));
      Element::multiply_accumulate(scores[n], row_fragment, column_fragment[0], column_fragment[1]);
      Element::multiply_accumulate(scores[n + 1], row_fragment, column_fragment[2], column_fragment[3]);
    }
  }
}

// sums += left right: numbers of this warp's rows, whose layout is that of a left operand, times kColumnsAtOnce rows of
// a tile from `first` on.
template <int Columns>
__device__ __forceinline__ void multiply_columns(Accumulator<Columns>& sums, const Scores& left,
                                                 const SharedTile<kBlock, Columns>& right, int first) {
  using Tile = SharedTile<kBlock, Columns>;
  const u32 lane = right.row_major_lane(first);
#pragma unroll
  for (int n = 0; n < kColumnsAtOnce / 8; n += 2) {
    u32 left_fragment[4];
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      left_fragment[2 * half] = Element::pack(left[n + half][0], left[n + half][1]);
      left_fragment[2 * half + 1] = Element::pack(left[n + half][2], left[n + half][3]);
    }
#pragma unroll
    for (int column = 0; column < Tile::kPaddedColumns; column += 16) {
      u32 right_fragment[4];
      load_matrices_transposed(right_fragment, lane + Tile::offset(8 * n, column));
      Element::multiply_accumulate(sums[column / 8], left_fragment, right_fragment[0], right_fragment[1]);
      Element::multiply_accumulate(sums[column / 8 + 1], left_fragment, right_fragment[2], right_fragment[3]);
    }
  }
}
