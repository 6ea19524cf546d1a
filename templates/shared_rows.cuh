#pragma once

#include "fragments.cuh"
#include "matrices.cuh"
#include "tile.cuh"

// Left operand of a product over `Columns`: this warp's rows of a tile, read from shared memory at each step.
template <int Columns>
struct SharedRows {
  u32 lane_address;

  __device__ explicit SharedRows(const SharedTile<kBlockQ, Columns>& tile)
      : lane_address(tile.row_major_lane(threadIdx.x / 32 * (16 * kRowTiles))) {}

  __device__ __forceinline__ void step(u32 (&fragment)[kRowTiles][4], int first_column) const {
#pragma unroll
    for (int m = 0; m < kRowTiles; ++m)
      load_matrices(fragment[m], lane_address + SharedTile<kBlockQ, Columns>::offset(16 * m, first_column));
  }
};
