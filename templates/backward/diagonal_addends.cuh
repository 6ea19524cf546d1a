#pragma once

#include "backward/tiles.cuh"

// What scores add to entries of a table whose index is the same along each diagonal of the matrix of scores. A warp
// lays the addends of its 16 rows out in shared memory; each lane then sums up some of the diagonals.
struct DiagonalAddends {
  static constexpr int kRows = 16;
  static_assert(kRowTiles == 1, "a warp has as many");
  static constexpr int kPitch = kColumnsAtOnce + 8;  // two columns a lane in different banks

  alignas(8) float values[kWarps][kRows][kPitch];

  // By all lanes, of all columns.
  __device__ __forceinline__ void put(int slot, int column, float value) {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    values[threadIdx.x / 32][lane / 4 + 8 * slot][column] = value;
  }
  // Calls add(diagonal, sum), a diagonal being its column less its row, where the sum is not 0.
  template <class Add>
  __device__ __forceinline__ void sum_up(const Add& add) const {
    const auto& rows = values[threadIdx.x / 32];
    __syncwarp();
#pragma unroll 1
    for (int diagonal = static_cast<int>(threadIdx.x) % 32 - (kRows - 1); diagonal < kColumnsAtOnce; diagonal += 32) {
      float sum = 0.0f;
#pragma unroll
      for (int row = 0; row < kRows; ++row)
        if (row + diagonal >= 0 && row + diagonal < kColumnsAtOnce) sum += rows[row][row + diagonal];
      if (sum != 0.0f) add(diagonal, sum);
    }
    __syncwarp();
  }
};
