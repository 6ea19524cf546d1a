#pragma once

#include "backward/tiles.cuh"

// Rows leave by way of shared memory, so that stores are 16 bytes wide; all threads together.
template <int Columns>
__device__ __forceinline__ void write_rows(SharedTile<kBlock, Columns>& tile, const Accumulator<Columns>& sums,
                                           float factor, u16* first_row, i64 row_stride, int valid_rows) {
#pragma unroll
  for (int n = 0; n < round_up(Columns, 16) / 8; ++n)
#pragma unroll
    for (int slot = 0; slot < kRowSlots; ++slot)
      *reinterpret_cast<u32*>(tile.elements + row_of_slot(slot) * tile.kPitch + column_of_tile(n)) =
          Element::pack(sums[n][2 * slot] * factor, sums[n][2 * slot + 1] * factor);
  __syncthreads();
  constexpr int kChunks = Columns / 8;
  for (int i = static_cast<int>(threadIdx.x); i < kBlock * kChunks; i += kThreads) {
    const int row = i / kChunks;
    const int column = i % kChunks * 8;
    if (row < valid_rows)
      *reinterpret_cast<uint4*>(first_row + row * row_stride + column) =
          *reinterpret_cast<const uint4*>(tile.elements + row * tile.kPitch + column);
  }
}
