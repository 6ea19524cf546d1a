#pragma once

#include "shared_rows.cuh"

// Left operand of a product over `Columns`: this warp's rows of a tile, read once and kept.
template <int Columns>
struct RegisterRows {
  u32 fragments[round_up(Columns, 16) / 16][kRowTiles][4];

  __device__ explicit RegisterRows(const SharedTile<kBlockQ, Columns>& tile) {
    const SharedRows<Columns> rows(tile);
#pragma unroll
    for (int column = 0; column < Columns; column += 16) rows.step(fragments[column / 16], column);
  }

  __device__ __forceinline__ void step(u32 (&fragment)[kRowTiles][4], int first_column) const {
#pragma unroll
    for (int m = 0; m < kRowTiles; ++m)
#pragma unroll
      for (int i = 0; i < 4; ++i) fragment[m][i] = fragments[first_column / 16][m][i];
  }
};
