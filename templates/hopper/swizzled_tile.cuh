#pragma once

#include "hopper/copy_box.cuh"
#include "ptx.cuh"

__host__ __device__ constexpr int strip_columns(int columns) { return columns <= 16 ? 16 : columns <= 32 ? 32 : 64; }

// Rows of 16-bit elements as the copy engine writes and wgmma reads them: strips of up to 64 columns behind each other,
// the 16-byte chunks of a row swizzled over the banks. Columns beyond the tensor's are zeros.
template <int Rows, int Columns, int StripColumns = strip_columns(Columns)>
struct SwizzledTile {
  static constexpr int kStripColumns = StripColumns;
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

  // Where the copy engine puts eight columns of a row.
  __device__ static __forceinline__ int chunk_offset(int row, int column) {
    const int strip = column / kStripColumns * kStripBytes;
    const int offset = row * kRowBytes + column % kStripColumns * 2;
    return strip + (offset ^ (offset >> 3 & (kRowBytes - 16)));
  }
  __device__ __forceinline__ void write_chunk(int row, int column, uint4 chunk) {
    *reinterpret_cast<uint4*>(bytes + chunk_offset(row, column)) = chunk;
  }

  // Matrix descriptor of a wgmma operand, without its start and the distance between strips: the swizzle and, in units
  // of 16 bytes, the distance between groups of eight rows.
  static constexpr unsigned long long kDescriptor = (kRowBytes == 128  ? 1ull
                                                     : kRowBytes == 64 ? 2ull
                                                                       : 3ull)
                                                        << 62 |
                                                    static_cast<unsigned long long>(8 * kRowBytes / 16) << 32;

  // From a row on; with the next strip so many bytes behind the first.
  __device__ __forceinline__ unsigned long long descriptor(int first_row = 0, u32 strip_bytes = kStripBytes) const {
    return kDescriptor | static_cast<unsigned long long>(strip_bytes / 16) << 16 |
           ((shared_address(bytes) + first_row * kRowBytes) & 0x3ffff) >> 4;
  }
  // What leads on to the next products: 16 columns further where a product sums over columns ...
  __device__ static constexpr int column_step(int column) {
    return (column / kStripColumns * kStripBytes + column % kStripColumns * 2) / 16;
  }
  // ... or rows further where it sums over rows ...
  __device__ static constexpr int row_step(int row) { return row * kRowBytes / 16; }
  // ... and the strip behind stays where it is.
  __device__ static constexpr unsigned long long row_step_before_strip(int row) {
    return static_cast<unsigned long long>(row_step(row)) * (1ull - (1ull << 16));
  }
};
