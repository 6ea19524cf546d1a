#pragma once

#include "backward/tiles.cuh"

// What scores add to entries of a table whose index changes along the diagonals of the matrix of scores, but seldom: a
// window's where one of its lines ends. A warp lays the addends of its 16 rows out in shared memory; each lane then
// walks along some of the diagonals, a run of rows at a time, whose addends mostly belong to two entries: that of its
// first row and that of its last.
template <class RowTerms>
struct WalkedAddends {
  static_assert(kRowTiles == 1, "a warp has 16 rows");
  static constexpr int kRows = 16;
  static constexpr int kRun = 8;
  static constexpr int kPitch = kColumnsAtOnce + 8;  // two columns a lane in different banks

  struct Storage {
    alignas(8) float values[kWarps][kRows][kPitch];
    RowTerms row_terms[kWarps][kRows];
  };

  Storage& storage;

  __device__ explicit WalkedAddends(Storage& shared) : storage(shared) {}

  __device__ __forceinline__ void keep_row(int slot, const RowTerms& terms) {
    if (threadIdx.x % 4 == 0) storage.row_terms[threadIdx.x / 32][row_of(slot)] = terms;
  }
  __device__ __forceinline__ const RowTerms& terms_of_row(int row) const {
    return storage.row_terms[threadIdx.x / 32][row];
  }

  // addend_of(tile, column, slot) is called for all of the lane's scores: two columns of each tile, in two rows.
  template <class AddendOf>
  __device__ __forceinline__ void put(const AddendOf& addend_of) {
#pragma unroll
    for (int tile = 0; tile < kColumnsAtOnce / 8; ++tile)
#pragma unroll
      for (int slot = 0; slot < kRowSlots; ++slot) {
        float* to = &storage.values[threadIdx.x / 32][row_of(slot)][column_of_tile(tile)];
        *reinterpret_cast<float2*>(to) = {addend_of(tile, 0, slot), addend_of(tile, 1, slot)};
      }
    __syncwarp();
  }

  // Calls add(entry, sum) with what entry_of(row, column) tells of all addends.
  template <class EntryOf, class Add>
  __device__ __forceinline__ void sum_up(const EntryOf& entry_of, const Add& add) const {
#pragma unroll 1
    for (int first = 1 - kRows; first < kColumnsAtOnce; first += 32) {
      const int diagonal = first + static_cast<int>(threadIdx.x) % 32;
      if (diagonal < kColumnsAtOnce) sum_up_diagonal(diagonal, entry_of, add);
    }
    __syncwarp();
  }

 private:
  static __device__ __forceinline__ int row_of(int slot) { return static_cast<int>(threadIdx.x) % 32 / 4 + 8 * slot; }

  template <class EntryOf, class Add>
  __device__ __forceinline__ void sum_up_diagonal(int diagonal, const EntryOf& entry_of, const Add& add) const {
    const auto& rows = storage.values[threadIdx.x / 32];
#pragma unroll 1
    for (int start = 0; start < kRows; start += kRun) {
      int entries[kRun];  // where the diagonal is not among the columns, of its nearest row that is
      float addends[kRun];
#pragma unroll
      for (int i = 0; i < kRun; ++i) {
        const int row = max(-diagonal, min(start + i, kColumnsAtOnce - 1 - diagonal));
        entries[i] = entry_of(row, row + diagonal);
        addends[i] = row == start + i ? rows[row][row + diagonal] : 0.0f;
      }
      const int begin = entries[0];
      const int end = entries[kRun - 1];
      float sum_of_begin = 0.0f;
      float sum_of_end = 0.0f;
#pragma unroll
      for (int i = 0; i < kRun; ++i) {
        if (entries[i] == begin)
          sum_of_begin += addends[i];
        else if (entries[i] == end)
          sum_of_end += addends[i];
        else if (addends[i] != 0.0f)
          add(entries[i], addends[i]);
      }
      if (sum_of_begin != 0.0f) add(begin, sum_of_begin);
      if (sum_of_end != 0.0f) add(end, sum_of_end);
    }
  }
};
