#pragma once

#include "config.cuh"
#include "element.cuh"
#include "round_up.cuh"

// Each warp owns kRowTiles blocks of 16 query rows. A lane holds, of each 16x8 block of an accumulator, the columns
// 2 (lane % 4) and the next, of the rows lane / 4 (elements 0, 1) and lane / 4 + 8 (elements 2, 3). A row slot counts
// the rows of a lane: slot 2 m + r is row 16 m + 8 r + lane / 4.
constexpr int kRowTiles = kBlockQ / (16 * kWarps);
constexpr int kRowSlots = 2 * kRowTiles;
constexpr int kScoreTiles = kBlockK / 8;
constexpr int kOutputTiles = round_up(kHeadDimV, 16) / 8;

using Scores = float[kRowTiles][kScoreTiles][4];

// What the probabilities have been multiplied with so far: the values, and ones. Summing the probabilities as the
// tensor cores see them, rounded, takes no additions of their own and cancels their rounding where few keys matter.
struct Output {
  float values[kRowTiles][kOutputTiles][4] = {};
  float sums[kRowTiles][4] = {};  // all columns alike

  __device__ __forceinline__ void rescale(const float (&factor)[kRowSlots]) {
#pragma unroll
    for (int slot = 0; slot < kRowSlots; ++slot) {
#pragma unroll
      for (int d = 0; d < kOutputTiles; ++d)
#pragma unroll
        for (int c = 0; c < 2; ++c) values[slot / 2][d][slot % 2 * 2 + c] *= factor[slot];
#pragma unroll
      for (int c = 0; c < 2; ++c) sums[slot / 2][slot % 2 * 2 + c] *= factor[slot];
    }
  }

  __device__ __forceinline__ float sum(int slot) const { return sums[slot / 2][slot % 2 * 2]; }
};

// Row of a slot, counted from the first row of the thread block.
__device__ __forceinline__ int row_of_slot(int slot) {
  return threadIdx.x / 32 * (16 * kRowTiles) + slot / 2 * 16 + slot % 2 * 8 + threadIdx.x % 32 / 4;
}

// First of the two neighbouring columns that this lane holds of an 8-column tile.
__device__ __forceinline__ int column_of_tile(int tile) { return tile * 8 + threadIdx.x % 4 * 2; }
