#pragma once

#include "element.cuh"
#include "round_up.cuh"

// A pass owns rows of queries or of keys, 16 or 32 a warp, and walks over tiles of columns of the others,
// kColumnsAtOnce at a time. Tiles have kBlockK rows and kBlockQ columns: as many of both where the sides take turns at
// being rows. Warps that share a tile of rows are as many as fill it: all of a thread block, or a warpgroup. A lane
// holds, of each 16x8 block, columns 2 (lane % 4) and the next of rows lane / 4 (elements 0, 1) and lane / 4 + 8
// (elements 2, 3): two row slots for each 16 rows.
constexpr int kRowTiles = kRowsOfWarp / 16;
constexpr int kWarpsOfTile = kBlockK / (16 * kRowTiles);
constexpr int kRowSlots = 2 * kRowTiles;

template <int Columns>
using Accumulator = float[round_up(Columns, 16) / 8][4];
using Scores = Accumulator<kColumnsAtOnce>;

// Row of a slot, counted from the first row of the tile.
__device__ __forceinline__ int row_of_slot(int slot) {
  const int warp = static_cast<int>(threadIdx.x) / 32 % kWarpsOfTile;
  return warp * (16 * kRowTiles) + slot * 8 + static_cast<int>(threadIdx.x) % 32 / 4;
}
// First of the two neighbouring columns that this lane holds of an 8-column block.
__device__ __forceinline__ int column_of_tile(int tile) { return tile * 8 + static_cast<int>(threadIdx.x) % 4 * 2; }

template <int Tiles>
__device__ __forceinline__ void clear(float (&accumulator)[Tiles][4]) {
#pragma unroll
  for (int n = 0; n < Tiles; ++n)
#pragma unroll
    for (int e = 0; e < 4; ++e) accumulator[n][e] = 0.0f;
}
