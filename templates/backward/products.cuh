#pragma once

#include "backward/tiles.cuh"
#include "matrices.cuh"
#include "tile.cuh"

// Warps that share rows: each has some columns of the scores, and of the sums.
constexpr int kColumnGroups = kWarps / kWarpsOfTile;
__device__ __forceinline__ int column_group() { return static_cast<int>(threadIdx.x) / 32 / kWarpsOfTile; }
__device__ __forceinline__ int first_row_of_warp() {
  return static_cast<int>(threadIdx.x) / 32 % kWarpsOfTile * (16 * kRowTiles);
}

// Of all rows of a warp, and of its columns.
__host__ __device__ constexpr int columns_of_group(int columns) {
  return round_up(columns, 16 * kColumnGroups) / kColumnGroups;
}
template <int Columns>
using RowSums = Accumulator<columns_of_group(Columns)>[kRowTiles];
using RowScores = Scores[kRowTiles];

// Whether a tile has the column of this warp, where those of all groups may be more.
template <int Columns>
__device__ __forceinline__ bool has_column(int column) {
  return columns_of_group(Columns) * kColumnGroups == round_up(Columns, 16) ||
         column_group() * columns_of_group(Columns) + column < Columns;
}

template <int Tiles>
__device__ __forceinline__ void clear(float (&sums)[kRowTiles][Tiles][4]) {
#pragma unroll
  for (int m = 0; m < kRowTiles; ++m) clear(sums[m]);
}

// scores += rows columns^T: this warp's rows of one tile, kColumnsAtOnce rows of the other from `first` on.
template <int Depth>
__device__ __forceinline__ void multiply_rows(RowScores& scores, const SharedTile<kBlockK, Depth>& rows,
                                              const SharedTile<kBlockQ, Depth>& columns, int first) {
  using Tile = SharedTile<kBlockQ, Depth>;  // whose rows are as far apart as those of the other
  const u32 row_lane = rows.row_major_lane(first_row_of_warp());
  const u32 column_lane = columns.column_major_lane(first);
#pragma unroll
  for (int depth = 0; depth < Tile::kPaddedColumns; depth += 16) {
    u32 row_fragments[kRowTiles][4];
#pragma unroll
    for (int m = 0; m < kRowTiles; ++m) load_matrices(row_fragments[m], row_lane + Tile::offset(16 * m, depth));
#pragma unroll
    for (int n = 0; n < kColumnsAtOnce / 8; n += 2) {
      u32 column_fragment[4];
      load_matrices(column_fragment, column_lane + Tile::offset(8 * n, depth));
#pragma unroll
      for (int m = 0; m < kRowTiles; ++m) {
        Element::multiply_accumulate(scores[m][n], row_fragments[m], column_fragment[0], column_fragment[1]);
        Element::multiply_accumulate(scores[m][n + 1], row_fragments[m], column_fragment[2], column_fragment[3]);
      }
    }
  }
}

// sums += left right: score columns of this warp's rows, whose layout is that of a left operand, times kColumnsAtOnce
// rows of a tile from `first` on.
template <int Columns, int Tiles>
__device__ __forceinline__ void multiply_columns(float (&sums)[kRowTiles][Tiles][4], const RowScores& left,
                                                 const SharedTile<kBlockQ, Columns>& right, int first) {
  using Tile = SharedTile<kBlockQ, Columns>;
  const u32 lane = right.row_major_lane(first);
#pragma unroll
  for (int n = 0; n < kColumnsAtOnce / 8; n += 2) {
    u32 left_fragments[kRowTiles][4];
#pragma unroll
    for (int m = 0; m < kRowTiles; ++m)
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        left_fragments[m][2 * half] = Element::pack(left[m][n + half][0], left[m][n + half][1]);
        left_fragments[m][2 * half + 1] = Element::pack(left[m][n + half][2], left[m][n + half][3]);
      }
#pragma unroll
    for (int column = 0; column < Tile::kPaddedColumns; column += 16) {
      u32 right_fragment[4];
      load_matrices_transposed(right_fragment, lane + Tile::offset(8 * n, column));
#pragma unroll
      for (int m = 0; m < kRowTiles; ++m) {
        Element::multiply_accumulate(sums[m][column / 8], left_fragments[m], right_fragment[0], right_fragment[1]);
        Element::multiply_accumulate(sums[m][column / 8 + 1], left_fragments[m], right_fragment[2], right_fragment[3]);
      }
    }
  }
}

// Numbers of scores in shared memory, a row for each row of the tile.
using ScoreTile = SharedTile<kBlockK, kBlockQ>;

// sums += left right, over all columns of scores, for the columns of this warp.
template <int Columns>
__device__ __forceinline__ void multiply_columns(RowSums<Columns>& sums, const ScoreTile& left,
                                                 const SharedTile<kBlockQ, Columns>& right) {
  using Tile = SharedTile<kBlockQ, Columns>;
  const u32 left_lane = left.row_major_lane(first_row_of_warp());
  const u32 right_lane = right.row_major_lane(0) + Tile::offset(0, column_group() * columns_of_group(Columns));
#pragma unroll
  for (int row = 0; row < kBlockQ; row += 16) {
    u32 left_fragments[kRowTiles][4];
#pragma unroll
    for (int m = 0; m < kRowTiles; ++m) load_matrices(left_fragments[m], left_lane + ScoreTile::offset(16 * m, row));
#pragma unroll
    for (int column = 0; column < columns_of_group(Columns); column += 16) {
      if (!has_column<Columns>(column)) break;
      u32 right_fragment[4];
      load_matrices_transposed(right_fragment, right_lane + Tile::offset(row, column));
#pragma unroll
      for (int m = 0; m < kRowTiles; ++m) {
        Element::multiply_accumulate(sums[m][column / 8], left_fragments[m], right_fragment[0], right_fragment[1]);
        Element::multiply_accumulate(sums[m][column / 8 + 1], left_fragments[m], right_fragment[2], right_fragment[3]);
      }
    }
  }
}

__device__ __forceinline__ void store(ScoreTile& tile, const RowScores& scores, int first) {
#pragma unroll
  for (int n = 0; n < kColumnsAtOnce / 8; ++n)
#pragma unroll
    for (int slot = 0; slot < kRowSlots; ++slot)
      *reinterpret_cast<u32*>(tile.elements + row_of_slot(slot) * tile.kPitch + first + column_of_tile(n)) =
          Element::pack(scores[slot / 2][n][slot % 2 * 2], scores[slot / 2][n][slot % 2 * 2 + 1]);
}
