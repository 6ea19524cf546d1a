#pragma once

#include "shared_rows.cuh"

// A low-rank bias dot(q_factors_i, k_factors_j): tiles of their own, more tensor-core steps into the same scores.
template <int Rank>
struct FactorTiles {
  SharedTile<kBlockQ, Rank> q;
  SharedTile<kBlockK, Rank> k;

  // T: f16 or bf16, the type of the tensor cores' operands.
  template <class T>
  __device__ void load_queries(const T* first_row, i64 row_stride, int valid_rows) {
    clear_padding(q);
    clear_padding(k);
    load_tile(q, reinterpret_cast<const u16*>(first_row), row_stride, valid_rows);
  }
  template <class T>
  __device__ __forceinline__ void load_keys(const T* first_row, i64 row_stride, int valid_rows) {
    load_tile(k, reinterpret_cast<const u16*>(first_row), row_stride, valid_rows);
  }
  __device__ __forceinline__ void accumulate(Scores& scores) const {
    accumulate_scores(scores, SharedRows<Rank>(q), k);
  }
};

// Factors are added to full scores, not to q k^T.
__device__ __forceinline__ void scale_scores(Scores& scores, float scale) {
#pragma unroll
  for (int m = 0; m < kRowTiles; ++m)
#pragma unroll
    for (int n = 0; n < kScoreTiles; ++n)
#pragma unroll
      for (int e = 0; e < 4; ++e) scores[m][n][e] *= scale;
}
