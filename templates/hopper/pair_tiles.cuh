#pragma once

#include "block.cuh"
#include "fragments.cuh"
#include "hopper/copy_box.cuh"
#include "input.cuh"

// A [.., Nq, Nk] input on its way through shared memory: a tile for each tile of keys, in strips of 128 bytes whose
// 16-byte chunks are swizzled, so that the eight rows that a warp reads at once lie in different banks.
template <class T>
struct PairTiles {
  using Value = decltype(value_of(T{}));
  static constexpr int kSize = sizeof(T);
  static constexpr int kStripBytes = kBlockQ * 128;
  static constexpr int kStripColumns = 128 / kSize;
  static constexpr int kStrips = (kBlockK + kStripColumns - 1) / kStripColumns;
  static constexpr u32 kBytes = kStrips * kStripBytes;

  alignas(1024) unsigned char bytes[kStages][kBytes];

  // The copy engine needs rows that begin at multiples of 16 bytes; the launcher describes those, and no others, to it.
  static __device__ __forceinline__ bool are_fetched(const Input<T>& input) {
    const i64 strides = input.batch_stride | input.head_stride | input.row_stride;
    return strides >= 0 && ((reinterpret_cast<i64>(input.data) | (strides * kSize)) & 15) == 0;
  }

  // Starts copying a tile, by one thread.
  __device__ __forceinline__ void fetch(int stage, const TensorMap& map, Barrier& arrived, const Block& block,
                                        int kv_start) const {
#pragma unroll
    for (int strip = 0; strip < kStrips; ++strip)
      copy_box(shared_address(bytes[stage]) + strip * kStripBytes, map, arrived, kv_start + strip * kStripColumns,
               block.q_start, block.head, block.batch);
  }

  // Where it cannot: copies a warp's own rows of a tile.
  __device__ __forceinline__ void copy_rows(int stage, const Input<T>& input, const Parameters& p, const Block& block,
                                            int kv_start) {
    constexpr int kRowsAtOnce = 2;  // latency hides behind latency
    constexpr int kColumns = (kBlockK + 31) / 32;
    const int lane = threadIdx.x % 32;
    const int first_row = static_cast<int>(threadIdx.x) / 32 * 16;
    const int last_row = p.q_length - 1 - block.q_start;
    const int keys = min(kBlockK, p.kv_length - kv_start);
    const T* tile = input.row(block.batch, block.head, block.q_start) + kv_start + lane;
    __syncwarp();  // all have read what is there
#pragma unroll 1
    for (int row = first_row; row < first_row + 16; row += kRowsAtOnce) {
      T values[kRowsAtOnce][kColumns];
#pragma unroll
      for (int r = 0; r < kRowsAtOnce; ++r) {
        const T* source = tile + min(row + r, last_row) * input.row_stride;
#pragma unroll
        for (int n = 0; n < kColumns; ++n)
          if (lane + 32 * n < keys) values[r][n] = source[32 * n];
      }
#pragma unroll
      for (int r = 0; r < kRowsAtOnce; ++r)
#pragma unroll
        for (int n = 0; n < kColumns; ++n)
          if (lane + 32 * n < keys) memcpy(bytes[stage] + offset(row + r, lane + 32 * n), &values[r][n], kSize);
    }
    __syncwarp();
  }

  // Values of a row slot's query at the two columns of a tile that this lane holds; beyond the last key, anything.
  __device__ __forceinline__ void read(Value (&pair)[2], int stage, int slot, int tile) const {
    T values[2];
    memcpy(values, bytes[stage] + offset(row_of_slot(slot), column_of_tile(tile)), sizeof(values));
    pair[0] = value_of(values[0]);
    pair[1] = value_of(values[1]);
  }

 private:
  static __device__ __forceinline__ int offset(int row, int column) {
    const int in_strip = column % kStripColumns * kSize;
    return column / kStripColumns * kStripBytes + row * 128 + (in_strip ^ row % 8 * 16);
  }
};
