#pragma once

#include "backward/products.cuh"

// Rows leave by way of shared memory, so that stores are 16 bytes wide; all threads together.
template <int Rows, int Columns>
__device__ __forceinline__ void write_rows(SharedTile<Rows, Columns>& tile, const RowSums<Columns>& sums, float factor,
                                           u16* first_row, i64 row_stride, int valid_rows) {
#pragma unroll
  for (int n = 0; n < columns_of_group(Columns) / 8; ++n)
#pragma unroll
    for (int slot = 0; slot < kRowSlots && has_column<Columns>(8 * n); ++slot)
      *reinterpret_cast<u32*>(tile.elements + row_of_slot(slot) * tile.kPitch +
                              column_group() * columns_of_group(Columns) + column_of_tile(n)) =
          Element::pack(sums[slot / 2][n][slot % 2 * 2] * factor, sums[slot / 2][n][slot % 2 * 2 + 1] * factor);
  __syncthreads();
  constexpr int kChunks = Columns / 8;
  for (int i = static_cast<int>(threadIdx.x); i < Rows * kChunks; i += kThreads) {
    const int row = i / kChunks;
    const int column = i % kChunks * 8;
    if (row < valid_rows)
      *reinterpret_cast<uint4*>(first_row + row * row_stride + column) =
          *reinterpret_cast<const uint4*>(tile.elements + row * tile.kPitch + column);
  }
}
