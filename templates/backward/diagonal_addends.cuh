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

  __device__ explicit DiagonalAddends(Storage& shared) : storage(shared) {}

  // addend_of(tile, column, slot) is called for all of the lane's scores: two columns of each tile, in two rows.
  template <class AddendOf>
  __device__ __forceinline__ void put(const AddendOf& addend_of) {
    float of_first_row[2] = {};  // from the tile before: on one diagonal with the second row's
#pragma unroll
    for (int tile = 0; tile < kColumnsAtOnce / 8; ++tile) {
      float sums[2];
#pragma unroll
      for (int column = 0; column < 2; ++column) {
        sums[column] = of_first_row[column] + addend_of(tile, column, 1);
        of_first_row[column] = addend_of(tile, column, 0);
      }
      store(tile, sums);
    }
    store(kColumnsAtOnce / 8, of_first_row);
    __syncwarp();
  }
  // Calls add(diagonal, sum) by all lanes together, a diagonal being its column less its row; those beyond the last
  // have the sum 0.
  template <class Add>
  __device__ __forceinline__ void sum_up(const Add& add) const {
    const auto& rows = storage.values[threadIdx.x / 32];
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
