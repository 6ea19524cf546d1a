#pragma once

#include "copies.cuh"
#include "copy_async.cuh"
#include "power_of_two.cuh"
#include "tile.cuh"

// Bytes of the widest copy (at most 16) that divides a row of `columns` 16-bit elements.
__host__ __device__ constexpr int widest_copy(int columns) {
  return columns % 8 == 0 ? 16 : columns % 4 == 0 ? 8 : columns % 2 == 0 ? 4 : 2;
}

// Starts copying rows from global memory, all threads together; rows from `valid_rows` on become zeros.
template <int Rows, int Columns>
__device__ __forceinline__ void load_tile(SharedTile<Rows, Columns>& tile, const u16* first_row, i64 row_stride,
                                          int valid_rows) {
  constexpr int kBytes = widest_copy(Columns);
  constexpr int kChunk = kBytes / 2;
  constexpr int kChunks = Columns / kChunk;
  constexpr int kLanes = power_of_two_at_least(kChunks);  // threads a row
  constexpr int kRowsAtOnce = kThreads / kLanes;
  const int column = threadIdx.x % kLanes * kChunk;
  const int thread_row = threadIdx.x / kLanes;
  const u16* source = first_row + thread_row * row_stride + column;
  u16* destination = tile.elements + thread_row * tile.kPitch + column;
#pragma unroll
  for (int first = 0; first < Rows; first += kRowsAtOnce) {
    const bool inside =
        (kChunks == kLanes || column < Columns) && (Rows % kRowsAtOnce == 0 || first + thread_row < Rows);
    if (inside) {
      const bool valid = first + thread_row < valid_rows;
      if constexpr (kBytes >= 4)
        copy_async<kBytes>(shared_address(destination), valid ? source : first_row, valid);
      else
        *destination = valid ? *source : u16{0};
    }
    source += kRowsAtOnce * row_stride;
    destination += kRowsAtOnce * tile.kPitch;
  }
}

// Zeros in the columns that no row fills, which a tensor-core step would otherwise multiply.
template <int Rows, int Columns>
__device__ __forceinline__ void clear_padding(SharedTile<Rows, Columns>& tile) {
  constexpr int kPadding = SharedTile<Rows, Columns>::kPaddedColumns - Columns;
  if constexpr (kPadding > 0)
    for (int i = threadIdx.x; i < Rows * kPadding; i += kThreads)
      tile.elements[i / kPadding * tile.kPitch + Columns + i % kPadding] = 0;
}
