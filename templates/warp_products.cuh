#pragma once

#include "fragments.cuh"
#include "matrices.cuh"
#include "tile.cuh"

__device__ __forceinline__ void clear(Scores& scores) {
#pragma unroll
  for (int m = 0; m < kRowTiles; ++m)
#pragma unroll
    for (int n = 0; n < kScoreTiles; ++n)
#pragma unroll
      for (int e = 0; e < 4; ++e) scores[m][n][e] = 0.0f;
}

// scores += rows (keys)^T, of 16-bit numbers of type T
template <class T, class Rows, int Columns>
__device__ __forceinline__ void accumulate_scores(Scores& scores, const Rows& rows,
                                                  const SharedTile<kBlockK, Columns>& keys) {
  using Keys = SharedTile<kBlockK, Columns>;
  const u32 lane_address = keys.column_major_lane(0);
#pragma unroll
  for (int column = 0; column < Keys::kPaddedColumns; column += 16) {
    u32 row_fragment[kRowTiles][4];
    rows.step(row_fragment, column);
#pragma unroll
    for (int n = 0; n < kScoreTiles; n += 2) {
      u32 key_fragment[4];
      load_matrices(key_fragment, lane_address + Keys::offset(8 * n, column));
#pragma unroll
      for (int m = 0; m < kRowTiles; ++m) {
        T::multiply_accumulate(scores[m][n], row_fragment[m], key_fragment[0], key_fragment[1]);
        T::multiply_accumulate(scores[m][n + 1], row_fragment[m], key_fragment[2], key_fragment[3]);
      }
    }
  }
}

// Multiplies probabilities with values; the probabilities' accumulator layout is that of a left operand.
__device__ __forceinline__ void accumulate_output(Output& output, const Scores& probabilities,
                                                  const SharedTile<kBlockK, kHeadDimV>& values) {
  using Values = SharedTile<kBlockK, kHeadDimV>;
  const u32 lane_address = values.row_major_lane(0);
  const u32 ones = Element::pack(1.0f, 1.0f);
#pragma unroll
  for (int n = 0; n < kScoreTiles; n += 2) {
    u32 row_fragment[kRowTiles][4];
#pragma unroll
    for (int m = 0; m < kRowTiles; ++m)
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const float(&p)[4] = probabilities[m][n + half];
        row_fragment[m][2 * half] = Element::pack(p[0], p[1]);
        row_fragment[m][2 * half + 1] = Element::pack(p[2], p[3]);
      }
#pragma unroll
    for (int m = 0; m < kRowTiles; ++m) Element::multiply_accumulate(output.sums[m], row_fragment[m], ones, ones);
#pragma unroll
    for (int d = 0; d < kOutputTiles; d += 2) {
      u32 value_fragment[4];
      load_matrices_transposed(value_fragment, lane_address + Values::offset(8 * n, 8 * d));
#pragma unroll
      for (int m = 0; m < kRowTiles; ++m) {
        Element::multiply_accumulate(output.values[m][d], row_fragment[m], value_fragment[0], value_fragment[1]);
        Element::multiply_accumulate(output.values[m][d + 1], row_fragment[m], value_fragment[2], value_fragment[3]);
      }
    }
  }
}
