#pragma once

#include "hopper/copy_box.cuh"
#include "tile.cuh"

// Rows of 16-bit elements as the copy engine writes and wgmma reads them: strips of up to 64 columns behind each other,
// the 16-byte chunks of a row swizzled over the banks. Columns beyond the tensor's are zeros.
template <int Rows, int Columns>
struct SwizzledTile {
  static constexpr int kStripColumns = Columns <= 16 ? 16 : Columns <= 32 ? 32 : 64;
  static constexpr int kStrips = (Columns + kStripColumns - 1) / kStripColumns;
  static constexpr int kRowBytes = kStripColumns * 2;
  static constexpr int kStripBytes = Rows * kRowBytes;
  static constexpr u32 kBytes = kStrips * kStripBytes;

  alignas(1024) unsigned char bytes[kBytes];

  __device__ __forceinline__ void copy_from(const TensorMap& map, Barrier& arrived, int row, int head, int batch) {
#pragma unroll
    for (int strip = 0; strip < kStrips; ++strip)
      copy_box(shared_address(bytes) + strip * kStripBytes, map, arrived, strip * kStripColumns, row, head, batch);
  }

  // Matrix descriptor of a wgmma operand, without its start: the swizzle and, in units of 16 bytes, the distances
  // between groups of eight rows and between strips.
  static constexpr unsigned long long kDescriptor = (kRowBytes == 128  ? 1ull
                                                     : kRowBytes == 64 ? 2ull
                                                                       : 3ull)
                                                        << 62 |
                                                    static_cast<unsigned long long>(8 * kRowBytes / 16) << 32 |
                                                    static_cast<unsigned long long>(kStripBytes / 16) << 16;

  __device__ __forceinline__ unsigned long long descriptor(int first_row = 0) const {
    return kDescriptor | ((shared_address(bytes) + first_row * kRowBytes) & 0x3ffff) >> 4;
  }
  // What leads on to the next products: 16 columns further where a product sums over columns ...
  __device__ static constexpr int column_step(int column) {
    return (column / kStripColumns * kStripBytes + column % kStripColumns * 2) / 16;
  }
  // ... or rows further where it sums over rows.
  __device__ static constexpr int row_step(int row) { return row * kRowBytes / 16; }
};
