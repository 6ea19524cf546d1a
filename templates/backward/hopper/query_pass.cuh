#pragma once

#include "backward/hopper/query_side.cuh"
#include "backward/hopper/store_rows.cuh"
#include "backward/hopper/walk.cuh"
#include "backward/stored_statistics.cuh"
#include "hopper/uniform_warpgroup.cuh"

// What belongs to a warpgroup's queries.
template <bool WritesQueries, bool WritesInputs>
struct QueryPass {
  using Side = QuerySide;
  static constexpr bool kNeedsGradients = true;

  const Parameters& p;
  SharedStorage& shared;
  const QuerySide& side;
  Block block;
  int first_row;  // of the thread block's, all warpgroups' queries
  HeadTerms head;
  QueryTerms terms[kRowSlots];
  QueryStatistics statistics[kRowSlots];
  QueryGradients query_gradients[kRowSlots];
  QueryFactorGradients factor_gradients;
  ScoreGradients score_gradients;
  Accumulator<kHeadDim> d_q;  // in units of the softmax scale

  __device__ QueryPass(const QuerySide& of, SharedStorage& storage)
      : p(of.p),
        shared(storage),
        side(of),
        block(of.rows_of(uniform_warpgroup())),
        first_row(block.q_start - of.first_query()),
        score_gradients(storage.score_gradients) {
    head = head_terms(p, block);
#pragma unroll
    for (int slot = 0; slot < kRowSlots; ++slot) {
      const int q_index = min(q_index_of(slot), p.q_length - 1);
      terms[slot] = query_terms(p, block, q_index);
      statistics[slot] = StoredStatistics::load(p, block.batch, block.head, q_index);
      if constexpr (WritesInputs) score_gradients.keep_row(slot, terms[slot]);
    }
    clear(d_q);
  }

  __device__ __forceinline__ int q_index_of(int slot) const { return block.q_start + row_of_slot(slot); }
  __device__ __forceinline__ bool masks(const QuerySide::Walk& walk) const {
    return block.q_end - block.q_start < kBlock || block.masks(walk.kv_start);
  }

  // How a score's query and key are numbered, where they are there.
  __device__ __forceinline__ int q_index_at(int row) const { return min(q_index_of(row), p.q_length - 1); }
  __device__ __forceinline__ int kv_index_at(const QuerySide::Walk& walk, int column) const {
    return min(walk.kv_start + column, p.kv_length - 1);
  }
  __device__ __forceinline__ int diagonal_of(int row, int column) const {
    return column + kWarpgroups * kBlock - 1 - (first_row + row_of_slot(row));
  }
  __device__ __forceinline__ HiddenColumns hidden_columns(const QuerySide::Walk& walk, int row) const {
    return q_index_of(row) < block.q_end ? HiddenColumns(p, block, q_index_at(row), walk.kv_start) : HiddenColumns();
  }

  template <bool Masks>
  __device__ __forceinline__ void find_probabilities(Scores& scores, const QuerySide::Walk& walk, int slot) {
    float shifts[kRowSlots];
    HiddenColumns hidden[kRowSlots];
#pragma unroll
    for (int row = 0; row < kRowSlots; ++row) {
      shifts[row] = exponent_shift(statistics[row], query_bias(p, block, head, q_index_at(row), walk.kv_start));
      hidden[row] = hidden_columns(walk, row);
    }
#pragma unroll
    for (int n = 0; n < kColumnsAtOnce / 8; ++n)
#pragma unroll
      for (int c = 0; c < 2; ++c) {
        const int column = column_of_tile(n) + c;
        const KeyTerms key = shared.key_terms[slot].load(column);
#pragma unroll
        for (int row = 0; row < kRowSlots; ++row) {
          float& score = scores[n][2 * row + c];
          const float diagonal = shared.diagonals[slot].at(diagonal_of(row, column));
          const float bias =
              score_bias(p, block, head, terms[row], key, q_index_at(row), kv_index_at(walk, column), diagonal);
          score = probability_of(score, shifts[row], shared.key_shifts[slot][column], bias, p.softmax_scale);
          if (Masks && hidden[row].contain(column)) score = 0.0f;
        }
      }
  }
  template <bool Masks>
  __device__ __forceinline__ void find_gradients(Scores& gradients, const Scores& probabilities,
                                                 const QuerySide::Walk& walk, int slot) {
#pragma unroll
    for (int n = 0; n < kColumnsAtOnce / 8; ++n)
#pragma unroll
      for (int c = 0; c < 2; ++c) {
        const int column = column_of_tile(n) + c;
        const int kv_index = kv_index_at(walk, column);
        const KeyTerms key = shared.key_terms[slot].load(column);
#pragma unroll
        for (int row = 0; row < kRowSlots; ++row) {
          float& gradient = gradients[n][2 * row + c];
          const float probability = probabilities[n][2 * row + c];
          gradient = gradient_of(gradient, probability, gradient_shift(statistics[row]));
          if (Masks && probability == 0.0f) gradient = 0.0f;  // hidden, of whatever numbers
          if (!WritesInputs) continue;
          if (gradient == 0.0f) continue;  // where the bias is -infinity, its derivatives may be no numbers
          query_gradients[row].add(gradient, probability, p, block, head, terms[row], key, q_index_at(row), kv_index);
          score_gradients.add(gradient, probability, p, block, head, terms[row], key, q_index_at(row), kv_index);
        }
      }
    if constexpr (WritesInputs)
      score_gradients.add_together([&](int tile, int column, int row) { return gradients[tile][2 * row + column]; }, p,
                                   block, head, terms, shared.key_terms[slot], 0, q_index_of(0) - row_of_slot(0) % 16,
                                   walk.kv_start);
  }

  __device__ __forceinline__ void pin_sums() {
    if constexpr (WritesInputs) factor_gradients.pin_sums();
    if constexpr (WritesQueries) pin(d_q);
  }
  __device__ __forceinline__ void add_up(const LeftOperand& /*left_probabilities*/, const LeftOperand& left_gradients,
                                         const TokenTile& columns) {
    if constexpr (WritesQueries) multiply_columns<kHeadDim>(d_q, left_gradients, columns.x);
    if constexpr (WritesInputs) factor_gradients.add(left_gradients, columns);
  }

  __device__ __forceinline__ void run() {
    RingPosition<kStages> columns;
    QuerySide::Walk walk(side, block.head);
    shared.score_gradients.clear();
    wait_for_consumers();
    if (walk.has_tile()) {
      shared.row_tiles.full[0].wait(0);
      walk_over_columns(*this, walk, shared, columns);
    }
    if constexpr (WritesQueries)
      store_rows<kHeadDim>(
          d_q, p.softmax_scale,
          p.d_q + block.batch * p.d_q_batch_stride + block.head * p.d_q_head_stride + block.q_start * p.d_q_row_stride,
          p.d_q_row_stride, block.q_end - block.q_start);
    if constexpr (WritesInputs) {
#pragma unroll
      for (int slot = 0; slot < kRowSlots; ++slot)
        query_gradients[slot].write(p, block, q_index_of(slot), q_index_of(slot) < block.q_end);
      factor_gradients.write(p, block.batch, block.head, block.q_start, block.q_end);
      score_gradients.finish(p, block);
      wait_for_consumers();
      score_gradients.write(p, block);
    }
  }
};
