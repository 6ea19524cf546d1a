#pragma once

#include "backward/tiles.cuh"

// The rows of a warpgroup's sums leave for global memory.
template <int Columns>
__device__ __forceinline__ void store_rows(const Accumulator<Columns>& sums, float factor, u16* first_row,
                                           i64 row_stride, int valid_rows) {
#pragma unroll
  for (int slot = 0; slot < kRowSlots; ++slot) {
    const int row = row_of_slot(slot);
    if (row >= valid_rows) continue;
#pragma unroll
    for (int n = 0; n < Columns / 8; ++n)
      *reinterpret_cast<u32*>(first_row + row * row_stride + column_of_tile(n)) =
          Element::pack(sums[n][2 * slot] * factor, sums[n][2 * slot + 1] * factor);
  }
}
