#pragma once

#include "load_tile.cuh"
#include "scale_scores.cuh"
#include "shared_rows.cuh"
#include "warp_products.cuh"

// A low-rank bias dot(q_factors_i, k_factors_j): tiles of their own, more tensor-core steps into the same scores.
// T: F16 or Bf16.
template <class T, int Rank>
struct FactorTiles {
  SharedTile<kBlockQ, Rank> q;
  SharedTile<kBlockK, Rank> k;

  template <class Number>
  __device__ void load_queries(const Number* first_row, i64 row_stride, int valid_rows) {
    clear_padding(q);
    clear_padding(k);
    load_tile(q, reinterpret_cast<const u16*>(first_row), row_stride, valid_rows);
  }
  template <class Number>
  __device__ __forceinline__ void load_keys(const Number* first_row, i64 row_stride, int valid_rows) {
    load_tile(k, reinterpret_cast<const u16*>(first_row), row_stride, valid_rows);
  }
  __device__ __forceinline__ void accumulate(Scores& scores) const {
    accumulate_scores<T>(scores, SharedRows<Rank>(q), k);
  }
};
