#pragma once

#include "backward/products.cuh"
#include "backward/storage.cuh"
#include "backward/stored_statistics.cuh"
#include "backward/write_rows.cuh"

static_assert(kBlockQ == kBlockK, "a tile of keys has as many columns as a tile of queries has rows");

// What belongs to kBlockK queries of one head: walks over the keys that they see.
template <bool WritesQueries, bool WritesInputs>
struct QueryPass {
  const Parameters& p;
  SharedStorage& shared;
  Block block;
  HeadTerms head;
  QueryTerms terms[kRowSlots];
  QueryStatistics statistics[kRowSlots];
  QueryGradients query_gradients[kRowSlots];
  QueryFactorGradients factor_gradients;
  ScoreGradients score_gradients;
  RowSums<kHeadDim> d_q;  // in units of the softmax scale

  __device__ QueryPass(const Parameters& parameters, SharedStorage& storage, int index)
      : p(parameters), shared(storage), block(parameters, index), score_gradients(storage.score_gradients) {
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

  __device__ __forceinline__ void differentiate_scores(RowScores& scores, RowScores& gradients, int kv_start, int stage,
                                                       int first, bool masks) {
    float shifts[kRowSlots];
    HiddenColumns hidden[kRowSlots];
#pragma unroll
    for (int slot = 0; slot < kRowSlots; ++slot) {
      const int q_index = min(q_index_of(slot), p.q_length - 1);
      shifts[slot] = exponent_shift(statistics[slot], query_bias(p, block, head, q_index, kv_start));
      if (q_index_of(slot) < block.q_end) hidden[slot] = HiddenColumns(p, block, q_index, kv_start);
    }
#pragma unroll
    for (int n = 0; n < kColumnsAtOnce / 8; ++n)
#pragma unroll
      for (int c = 0; c < 2; ++c) {
        const int column = first + column_of_tile(n) + c;
        const int kv_index = min(kv_start + column, p.kv_length - 1);
        const KeyTerms key = shared.key_terms[stage].load(column);
#pragma unroll
        for (int slot = 0; slot < kRowSlots; ++slot) {
          const int q_index = min(q_index_of(slot), p.q_length - 1);
          float& probability = scores[slot / 2][n][slot % 2 * 2 + c];
          float& gradient = gradients[slot / 2][n][slot % 2 * 2 + c];
          const float diagonal = shared.diagonals[stage].at(column + kBlockK - 1 - row_of_slot(slot));
          const float bias = score_bias(p, block, head, terms[slot], key, q_index, kv_index, diagonal);
          probability =
              probability_of(probability, shifts[slot], shared.key_shifts[stage][column], bias, p.softmax_scale);
          gradient = gradient_of(gradient, probability, gradient_shift(statistics[slot]));
          if (masks && hidden[slot].contain(column)) probability = gradient = 0.0f;
          if (!WritesInputs) continue;
          if (gradient == 0.0f) continue;  // where the bias is -infinity, its derivatives may be no numbers
          query_gradients[slot].add(gradient, probability, p, block, head, terms[slot], key, q_index, kv_index);
          score_gradients.add(gradient, probability, p, block, head, terms[slot], key, q_index, kv_index);
        }
      }
    if constexpr (WritesInputs)
      score_gradients.add_together(
          [&](int tile, int column, int slot) { return gradients[slot / 2][tile][slot % 2 * 2 + column]; }, p, block,
          head, terms, shared.key_terms[stage], first, q_index_of(0) - row_of_slot(0) % 16, kv_start + first);
  }

  // A tile of keys comes.
  __device__ __forceinline__ void start(int kv_start, int stage) {
    shared.columns[stage].load_keys(p, block.batch, block.head / p.heads_per_kv_head, kv_start);
    shared.columns[stage].factors.load_keys(p, block.batch, block.head, kv_start);
    commit_copies();
    const int column = static_cast<int>(threadIdx.x);
    shared.diagonals[stage].store(DiagonalsOfThread(p, block, head, column, kv_start, block.q_start + kBlockK - 1),
                                  column);
    if (column >= kBlockQ) return;
    const int kv_index = min(kv_start + column, p.kv_length - 1);
    shared.key_terms[stage].store(column, key_terms(p, block, kv_index));
    if (kHasKeyBias) shared.key_shifts[stage][column] = key_shift(key_bias(p, block, head, kv_index, kv_start));
  }

  __device__ __forceinline__ void multiply(int kv_start, int stage) {
    const TokenTile<kBlockQ>& columns = shared.columns[stage];
    const bool masks = block.q_end - block.q_start < kBlockQ || block.masks(kv_start);
#pragma unroll 1
    for (int first = 0; first < kBlockQ; first += kColumnsAtOnce) {
      RowScores scores;
      RowScores gradients;
      find_scores(scores, p, shared.rows, columns, first);
      clear(gradients);
      multiply_rows(gradients, shared.rows.y, columns.y, first);
      differentiate_scores(scores, gradients, kv_start, stage, first, masks);
      if constexpr (WritesInputs) factor_gradients.add(gradients, columns.factors, first);
      if constexpr (WritesQueries) multiply_columns<kHeadDim>(d_q, gradients, columns.x, first);
    }
  }

  __device__ __forceinline__ void walk() {
    int stage = 0;
    if (block.kv_begin < block.kv_end) start(block.kv_begin, stage);
#pragma unroll 1
    for (int kv_start = block.kv_begin; kv_start < block.kv_end; kv_start += kBlockQ) {
      const int next = kv_start + kBlockQ;
      const int next_stage = stage_behind(stage);
      wait_for_copies();
      __syncthreads();  // of all threads, and no one reads the tile before
      if (kStages > 1 && next < block.kv_end) start(next, next_stage);
      multiply(kv_start, stage);
      if (kStages == 1) __syncthreads();
      if (kStages == 1 && next < block.kv_end) start(next, next_stage);
      stage = next_stage;
    }
  }

  __device__ __forceinline__ void run() {
    shared.score_gradients.clear();
    shared.clear_padding();
    shared.rows.load_queries(p, block.batch, block.head, block.q_start);
    commit_copies();
    walk();
    if constexpr (WritesInputs) score_gradients.finish(p, block);
    wait_for_copies();  // of a block that sees no keys
    __syncthreads();
    if constexpr (WritesQueries)
      write_rows(
          shared.rows.x, d_q, p.softmax_scale,
          p.d_q + block.batch * p.d_q_batch_stride + block.head * p.d_q_head_stride + block.q_start * p.d_q_row_stride,
          p.d_q_row_stride, block.q_end - block.q_start);
    if constexpr (WritesInputs) {
#pragma unroll
      for (int slot = 0; slot < kRowSlots; ++slot)
        query_gradients[slot].write(p, block, q_index_of(slot), q_index_of(slot) < block.q_end);
      factor_gradients.write(p, block.batch, block.head, block.q_start, block.q_end);
      score_gradients.write(p, block);
    }
  }
};
