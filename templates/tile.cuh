#pragma once

#include "ptx.cuh"
#include "round_up.cuh"

// Rows of 16-bit elements in shared memory. Columns are padded to the 16 of a tensor-core step, and the pitch is an odd
// number of 16-byte chunks, so that the eight rows that ldmatrix reads at once lie in eight different bank groups.
template <int Rows, int Columns>
struct SharedTile {
  static constexpr int kPaddedColumns = round_up(Columns, 16);
  static constexpr int kPitch = kPaddedColumns + 8;

  alignas(16) u16 elements[Rows * kPitch];

  // Address of the row of an 8x8 matrix that this lane names in a 16x16 block: blocks of rows first ...
  __device__ u32 row_major_lane(int first_row) const {
    const int lane = threadIdx.x % 32;
    return shared_address(elements + (first_row + lane % 16) * kPitch + lane / 16 * 8);
  }
  // ... or blocks of columns first.
  __device__ u32 column_major_lane(int first_row) const {
    const int lane = threadIdx.x % 32;
    return shared_address(elements + (first_row + lane / 16 * 8 + lane % 8) * kPitch + lane / 8 % 2 * 8);
  }
  __device__ static constexpr u32 offset(int row, int column) { return static_cast<u32>((row * kPitch + column) * 2); }
};
