#pragma once

#include "backward/tiles.cuh"

// What scores add to entries of a table whose index is the same along each diagonal of the matrix of scores. Of a
// warp's 16 rows, a lane has two that are 8 apart: it adds those of its addends up that lie on one diagonal, and lays
// the sums out in shared memory, where each lane then sums up some of the diagonals.
struct DiagonalAddends {
  static_assert(kRowTiles == 1, "a warp has 16 rows");
  static constexpr int kRows = 8;
  static constexpr int kColumns = kColumnsAtOnce + kRows;  // of the second row; the first is 8 columns further

  struct Storage {
    alignas(8) float values[kWarps][kRows][kColumns];
  };

  Storage& storage;
  float of_first_row[2];
  float carried[2] = {};  // of the first row, from the tile before: on one diagonal with the second row's
  float sums[2];

  __device__ explicit DiagonalAddends(Storage& shared) : storage(shared) {}

  // In the order of tiles of 8 columns, of the lane's two columns in each, and of its two rows.
  __device__ __forceinline__ void put(int tile, int column, int slot, float value) {
    if (slot == 0) {
      of_first_row[column] = value;
      return;
    }
    sums[column] = carried[column] + value;
    carried[column] = of_first_row[column];
    if (column == 0) return;
    store(tile, sums);
    if (tile + 1 < kColumnsAtOnce / 8) return;
    store(tile + 1, carried);
    carried[0] = carried[1] = 0.0f;
  }
  // Calls add(diagonal, sum) by all lanes together, a diagonal being its column less its row; those beyond the last
  // have the sum 0.
  template <class Add>
  __device__ __forceinline__ void sum_up(const Add& add) const {
    const auto& rows = storage.values[threadIdx.x / 32];
    __syncwarp();
#pragma unroll 1
    for (int first = 1 - 2 * kRows; first < kColumnsAtOnce; first += 32) {
      const int diagonal = first + static_cast<int>(threadIdx.x) % 32;
      float sum = 0.0f;
#pragma unroll
      for (int row = 0; row < kRows; ++row) {
        const int column = kRows + row + diagonal;
        if (column >= 0 && column < kColumns) sum += rows[row][column];
      }
      add(diagonal, sum);
    }
    __syncwarp();
  }

 private:
  __device__ __forceinline__ void store(int tile, const float (&of_columns)[2]) {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    float* to = &storage.values[threadIdx.x / 32][lane / 4][tile * 8 + lane % 4 * 2];
    *reinterpret_cast<float2*>(to) = {of_columns[0], of_columns[1]};
  }
};
