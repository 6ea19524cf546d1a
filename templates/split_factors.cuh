#pragma once

#include "part.cuh"
#include "shared_rows.cuh"
#include "warp_products.cuh"

// A bias that is a sum of Rank products of a query and a key factor, which the kernel computes: tiles of their own,
// more tensor-core steps into the same scores. A factor is the sum of Parts 16-bit numbers, each the rounded rest of
// those before it, and a product is that of part a of one and part b of the other, a + b < Parts: a column for each.
template <int Rank, int Parts>
struct SplitFactors {
  static constexpr int kColumns = Rank * Parts * (Parts + 1) / 2;
  SharedTile<kBlockQ, kColumns> q;
  SharedTile<kBlockK, kColumns> k;

  __device__ __forceinline__ void store_query(int row, const float (&factors)[Rank]) {
    store<true>(q.elements + row * q.kPitch, factors);
  }
  __device__ __forceinline__ void store_key(int row, const float (&factors)[Rank]) {
    store<false>(k.elements + row * k.kPitch, factors);
  }
  __device__ __forceinline__ void accumulate(Scores& scores) const {
    accumulate_scores<Part>(scores, SharedRows<kColumns>(q), k);
  }

 private:
  static constexpr int kPadded = SharedTile<kBlockQ, kColumns>::kPaddedColumns;

  static __device__ __forceinline__ float rounded(float value) {
    return value_of(PartNumber{static_cast<u16>(Part::pack(value, 0.0f))});
  }

  template <bool OfQuery>
  static __device__ __forceinline__ void store(u16* row, const float (&factors)[Rank]) {
    float columns[kPadded] = {};
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
#pragma unroll
    for (int c = 0; c < kPadded; c += 8)
      *reinterpret_cast<uint4*>(row + c) =
          make_uint4(Part::pack(columns[c], columns[c + 1]), Part::pack(columns[c + 2], columns[c + 3]),
                     Part::pack(columns[c + 4], columns[c + 5]), Part::pack(columns[c + 6], columns[c + 7]));
  }
};
