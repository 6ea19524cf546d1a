#pragma once

#include "shared_rows.cuh"
#include "split_columns.cuh"
#include "warp_products.cuh"

// Factors that the kernel computes, in tiles of their own.
template <int Rank, int Parts>
struct SplitFactors {
  using Columns = SplitColumns<Rank, Parts>;

  SharedTile<kBlockQ, Columns::kColumns> q;
  SharedTile<kBlockK, Columns::kColumns> k;

  __device__ __forceinline__ void store_query(int row, const float (&factors)[Rank]) {
    store(q.elements + row * q.kPitch, Columns::of_query(factors));
  }
  __device__ __forceinline__ void store_key(int /*stage*/, int row, const float (&factors)[Rank]) {
    store(k.elements + row * k.kPitch, Columns::of_key(factors));
  }
  __device__ __forceinline__ void accumulate(Scores& scores) const {
    accumulate_scores<Part>(scores, SharedRows<Columns::kColumns>(q), k);
  }

 private:
  static __device__ __forceinline__ void store(u16* row, const Columns& columns) {
#pragma unroll
    for (int i = 0; i < Columns::kChunks; ++i) *reinterpret_cast<uint4*>(row + 8 * i) = columns.chunks[i];
  }
};
