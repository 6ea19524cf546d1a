#pragma once

#include "part.cuh"

// A bias that is a sum of Rank products of a query and a key factor, which the kernel computes: more tensor-core steps
// into the same scores. A factor is the sum of Parts 16-bit numbers, each the rounded rest of those before it, and a
// product is that of part a of one and part b of the other, a + b < Parts: a column for each.
template <int Rank, int Parts>
struct SplitColumns {
  static constexpr int kColumns = Rank * Parts * (Parts + 1) / 2;
  static constexpr int kChunks = (kColumns + 15) / 16 * 2;  // of eight columns

  uint4 chunks[kChunks];

  static __device__ __forceinline__ SplitColumns of_query(const float (&factors)[Rank]) { return split<true>(factors); }
  static __device__ __forceinline__ SplitColumns of_key(const float (&factors)[Rank]) { return split<false>(factors); }

 private:
  static __device__ __forceinline__ float rounded(float value) {
    return value_of(PartNumber{static_cast<u16>(Part::pack(value, 0.0f))});
  }

  template <bool OfQuery>
  static __device__ __forceinline__ SplitColumns split(const float (&factors)[Rank]) {
    float columns[kChunks * 8] = {};
#pragma unroll
    for (int r = 0; r < Rank; ++r) {
      float parts[Parts];
      float rest = factors[r];
#pragma unroll
      for (int i = 0; i < Parts; ++i) {
        parts[i] = rounded(rest);
        rest -= parts[i];
      }
      int column = r;
#pragma unroll
      for (int a = 0; a < Parts; ++a)
#pragma unroll
        for (int b = 0; a + b < Parts; ++b, column += Rank) columns[column] = parts[OfQuery ? a : b];
    }
    SplitColumns result;
#pragma unroll
    for (int i = 0; i < kChunks; ++i) {
      const float* of_chunk = columns + 8 * i;
      result.chunks[i] = make_uint4(Part::pack(of_chunk[0], of_chunk[1]), Part::pack(of_chunk[2], of_chunk[3]),
                                    Part::pack(of_chunk[4], of_chunk[5]), Part::pack(of_chunk[6], of_chunk[7]));
    }
    return result;
  }
};
