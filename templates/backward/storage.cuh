#pragma once

#include "backward/differentiate.cuh"
#include "backward/factors.cuh"
#include "backward/terms.cuh"
#include "load_tile.cuh"

// A tile of queries with the gradients of their outputs, or of keys with their values.
struct TokenTile {
  SharedTile<kBlock, kHeadDim> x;
  SharedTile<kBlock, kHeadDimV> y;
  Factors factors;

  __device__ __forceinline__ void clear_padding() {
    ::clear_padding(x);
    ::clear_padding(y);
    factors.clear_padding();
  }
  __device__ __forceinline__ void load_queries(const Parameters& p, int batch, int head, int start) {
    load_tile(x, p.q + batch * p.q_batch_stride + head * p.q_head_stride + start * p.q_row_stride, p.q_row_stride,
              p.q_length - start);
    load_tile(y, p.d_out + batch * p.d_out_batch_stride + head * p.d_out_head_stride + start * p.d_out_row_stride,
              p.d_out_row_stride, p.q_length - start);
  }
  __device__ __forceinline__ void load_keys(const Parameters& p, int batch, int kv_head, int start) {
    load_tile(x, p.k + batch * p.k_batch_stride + kv_head * p.k_head_stride + start * p.k_row_stride, p.k_row_stride,
              p.kv_length - start);
    load_tile(y, p.v + batch * p.v_batch_stride + kv_head * p.v_head_stride + start * p.v_row_stride, p.v_row_stride,
              p.kv_length - start);
  }
};

struct SharedStorage {
  TokenTile rows, columns;
  // Of columns that are queries ...
  ColumnTerms<QueryShifts> query_shifts;
  ColumnTerms<HiddenColumns> hidden_keys;  // rows
  ColumnTerms<QueryTerms> query_terms;
  // ... or keys.
  alignas(8) float key_shifts[kBlock];
  ColumnTerms<KeyTerms> key_terms;
  ScoreGradients::Storage score_gradients;
};
