#pragma once

#include "backward/diagonals.cuh"
#include "backward/differentiate.cuh"
#include "backward/shares.cuh"
#include "backward/terms.cuh"
#include "load_tile.cuh"

// A tile of queries with the gradients of their outputs, or of keys with their values.
template <int Rows>
struct TokenTile {
  SharedTile<Rows, kHeadDim> x;
  SharedTile<Rows, kHeadDimV> y;
  Factors<Rows> factors;

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
    factors.load_queries(p, batch, head, start);
  }
  __device__ __forceinline__ void load_keys(const Parameters& p, int batch, int kv_head, int start) {  // no factors
    load_tile(x, p.k + batch * p.k_batch_stride + kv_head * p.k_head_stride + start * p.k_row_stride, p.k_row_stride,
              p.kv_length - start);
    load_tile(y, p.v + batch * p.v_batch_stride + kv_head * p.v_head_stride + start * p.v_row_stride, p.v_row_stride,
              p.kv_length - start);
  }
};

// scores = rows columns^T + products of factors, in units of the softmax scale.
__device__ __forceinline__ void find_scores(RowScores& scores, const Parameters& p, const TokenTile<kBlockK>& rows,
                                            const TokenTile<kBlockQ>& columns, int first) {
  clear(scores);
  multiply_factors(scores, p, rows.factors, columns.factors, first);
  multiply_rows(scores, rows.x, columns.x, first);
}

using TileDiagonals = Diagonals<kBlockK, kBlockQ>;
using DiagonalsOfThread = TileDiagonals::Share<kThreads>;

struct SharedStorage {
  TokenTile<kBlockK> rows;
  TokenTile<kBlockQ> columns[kStages];
  Shares::Storage exchange;
  // Of columns that are queries ...
  ColumnTerms<QueryShifts> query_shifts[kStages];
  ColumnTerms<HiddenColumns> hidden_keys[kStages];  // rows
  ColumnTerms<QueryTerms> query_terms[kStages];
  // ... or keys.
  alignas(8) float key_shifts[kStages][kBlockQ];
  ColumnTerms<KeyTerms> key_terms[kStages];
  TileDiagonals diagonals[kStages];
  ScoreGradients::Storage score_gradients;

  __device__ __forceinline__ void clear_padding() {
    rows.clear_padding();
    for (TokenTile<kBlockQ>& tile : columns) tile.clear_padding();
  }
};

// The copies of a tile of columns are under way while the one before is read, where there is room for two.
__device__ __forceinline__ int stage_behind(int stage) { return kStages == 1 ? 0 : stage ^ 1; }
static_assert(kStages <= 2 && kThreads >= kBlockQ, "a thread describes one of the columns to come");
