#pragma once

#include "backward/tiles.cuh"

// Sums over a warp's rows, column by column. addend_of(tile, column, slot) is called for all of the lane's scores: two
// columns of each tile, in two rows; add(column, sum) by all lanes together, of a column each.
template <class AddendOf, class Add>
__device__ __forceinline__ void sum_up_columns(const AddendOf& addend_of, const Add& add) {
  static_assert(kRowTiles == 1, "a warp has 16 rows");
  constexpr int kColumnsOfLane = 8;  // as many as there are lanes that hold the same columns: lane / 4
  const int group = static_cast<int>(threadIdx.x) % 32 / 4;
#pragma unroll
  for (int first = 0; first < kColumnsAtOnce / 8; first += kColumnsOfLane / 2) {
    float sums[kColumnsOfLane];
#pragma unroll
    for (int i = 0; i < kColumnsOfLane; ++i) {
      const int tile = first + i / 2;
      sums[i] = tile < kColumnsAtOnce / 8 ? addend_of(tile, i % 2, 0) + addend_of(tile, i % 2, 1) : 0.0f;
    }
    // Of two lanes, one goes on with the lower half of the columns, the other with the upper.
#pragma unroll
    for (int half = kColumnsOfLane / 2; half > 0; half /= 2) {
      const bool keeps_upper = group & half;
#pragma unroll
      for (int i = 0; i < half; ++i) {
        const float lower = sums[i];
        const float upper = sums[i + half];
        sums[i] = (keeps_upper ? upper : lower) + __shfl_xor_sync(0xffffffffu, keeps_upper ? lower : upper, 4 * half);
      }
    }
    add(min(column_of_tile(first + group / 2) + group % 2, kColumnsAtOnce - 1), sums[0]);
  }
}
