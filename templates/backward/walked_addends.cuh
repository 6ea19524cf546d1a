#pragma once

#include "backward/tiles.cuh"

// What scores add to entries of a table whose index changes along the diagonals of the matrix of scores, but seldom: a
// window's at the end of its lines. A warp lays the addends of its 16 rows out in shared memory; then each lane walks
// along some of the diagonals and adds up what belongs to the same entry.
struct WalkedAddends {
  static_assert(kRowTiles == 1, "a warp has 16 rows");
  static constexpr int kRows = 16;
  static constexpr int kPitch = kColumnsAtOnce + 8;  // two columns a lane in different banks

  struct Storage {
    alignas(8) float values[kWarps][kRows][kPitch];
  };

  Storage& storage;
  float before[kRowSlots];  // of the column to the left

  __device__ explicit WalkedAddends(Storage& shared) : storage(shared) {}

  // In the order of tiles of 8 columns, and of the lane's two columns in each.
  __device__ __forceinline__ void put(int tile, int column, int slot, float value) {
    if (column == 0) {
      before[slot] = value;
      return;
    }
    const int lane = static_cast<int>(threadIdx.x) % 32;
    float* to = &storage.values[threadIdx.x / 32][lane / 4 + 8 * slot][tile * 8 + lane % 4 * 2];
    *reinterpret_cast<float2*>(to) = {before[slot], value};
  }
  // Calls add(entry, sum) where entry_of(row, column) is about to change.
  template <class EntryOf, class Add>
  __device__ __forceinline__ void sum_up(const EntryOf& entry_of, const Add& add) const {
    const auto& rows = storage.values[threadIdx.x / 32];
    __syncwarp();
#pragma unroll 1
    for (int diagonal = static_cast<int>(threadIdx.x) % 32 - (kRows - 1); diagonal < kColumnsAtOnce; diagonal += 32) {
      const int end = min(kRows, kColumnsAtOnce - diagonal);
      int entry = 0;
      float sum = 0.0f;
#pragma unroll 2
      for (int row = max(0, -diagonal); row < end; ++row) {
        const int next = entry_of(row, row + diagonal);
        if (next != entry) {
          if (sum != 0.0f) add(entry, sum);
          entry = next;
          sum = 0.0f;
        }
        sum += rows[row][row + diagonal];
      }
      if (sum != 0.0f) add(entry, sum);
    }
    __syncwarp();
  }
};
