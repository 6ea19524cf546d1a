#pragma once

#include "backward/key_rows.cuh"
#include "backward/products.cuh"
#include "backward/storage.cuh"
#include "backward/write_rows.cuh"

// What belongs to kBlock keys of one key head: walks over the queries that see them, of all heads that share it. Rows
// are keys here and columns are queries: the matrix of scores is transposed.
template <bool WritesKeys, bool WritesValues, bool WritesInputs>
struct KeyPass {
  const Parameters& p;
  SharedStorage& shared;
  KeyRows keys;
  Accumulator<kHeadDim> d_k;   // in units of the softmax scale
  Accumulator<kHeadDimV> d_v;  // in units of the probabilities

  __device__ KeyPass(const Parameters& parameters, SharedStorage& storage, int index)
      : p(parameters), shared(storage), keys(parameters, index) {
    clear(d_k);
    clear(d_v);
  }

  __device__ __forceinline__ int kv_index_of(int slot) const { return keys.kv_start + row_of_slot(slot); }

  // What belongs to one of the heads.
  struct HeadState {
    HeadTerms head;
    KeyTerms terms[kRowSlots];
    float shifts[kRowSlots];
    KeyGradients gradients[kRowSlots];
    KeyFactorGradients factor_gradients;
  };

  __device__ __forceinline__ void differentiate_scores(Scores& scores, Scores& gradients, HeadState& state,
                                                       const Block& block, int first, bool masks) {
#pragma unroll
    for (int n = 0; n < kColumnsAtOnce / 8; ++n)
#pragma unroll
      for (int c = 0; c < 2; ++c) {
        const int column = first + column_of_tile(n) + c;
        const int q_index = min(block.q_start + column, p.q_length - 1);
        const QueryTerms query = shared.query_terms.load(column);
        const QueryShifts shifts = shared.query_shifts.load(column);
        const HiddenColumns hidden = shared.hidden_keys.load(column);
#pragma unroll
        for (int slot = 0; slot < kRowSlots; ++slot) {
          const int kv_index = min(kv_index_of(slot), p.kv_length - 1);
          float& probability = scores[n][2 * slot + c];
          float& gradient = gradients[n][2 * slot + c];
          const float bias = score_bias(p, block, state.head, query, state.terms[slot], q_index, kv_index);
          probability = probability_of(probability, shifts.exponent, state.shifts[slot], bias, p.softmax_scale);
          gradient = gradient_of(gradient, probability, shifts.gradient);
          if (masks && hidden.contain(row_of_slot(slot))) probability = gradient = 0.0f;
          if (WritesInputs && gradient != 0.0f)  // where the bias is -infinity, its derivatives may be no numbers
            state.gradients[slot].add(gradient, probability, p, block, state.head, query, state.terms[slot], q_index,
                                      kv_index);
        }
      }
  }

  __device__ __forceinline__ void visit(const Block& block, HeadState& state) {
    __syncthreads();
    shared.columns.load_queries(p, block.batch, block.head, block.q_start);
    shared.columns.factors.load_queries(p, block.batch, block.head, block.q_start);
    commit_copies();
    for (int column = static_cast<int>(threadIdx.x); column < kBlock; column += kThreads) {
      const bool exists = block.q_start + column < block.q_end;
      const int q_index = min(block.q_start + column, p.q_length - 1);
      const QueryStatistics statistics = query_statistics(p, block.batch, block.head, q_index);
      shared.query_terms.store(column, query_terms(p, block, q_index));
      shared.query_shifts.store(column,
                                {exponent_shift(statistics, query_bias(p, block, state.head, q_index, keys.kv_start)),
                                 gradient_shift(statistics)});
      shared.hidden_keys.store(column, exists ? HiddenColumns(p, block, q_index, keys.kv_start) : HiddenColumns());
    }
    wait_for_copies();
    __syncthreads();
    const bool masks = block.q_end - block.q_start < kBlock || block.masks(keys.kv_start);
#pragma unroll 1
    for (int first = 0; first < kBlock; first += kColumnsAtOnce) {
      Scores scores;
      Scores gradients;
      clear(scores);
      clear(gradients);
      multiply_factors(scores, p, shared.rows.factors, shared.columns.factors, first);
      multiply_rows(scores, shared.rows.x, shared.columns.x, first);
      if constexpr (WritesKeys || WritesInputs) multiply_rows(gradients, shared.rows.y, shared.columns.y, first);
      differentiate_scores(scores, gradients, state, block, first, masks);
      if constexpr (WritesInputs) state.factor_gradients.add(gradients, shared.columns.factors, first);
      if constexpr (WritesValues) multiply_columns<kHeadDimV>(d_v, scores, shared.columns.y, first);
      if constexpr (WritesKeys) multiply_columns<kHeadDim>(d_k, gradients, shared.columns.x, first);
    }
  }

  __device__ __forceinline__ void visit_head(int head) {
    HeadState state;
    __syncthreads();
    shared.rows.factors.load_keys(p, keys.batch, head, keys.kv_start);
    commit_copies();
#pragma unroll 1
    for (int tile = 0; tile < p.q_tiles; ++tile) {
      const Block block(p, (keys.batch * p.heads + head) * p.q_tiles + tile);
      if (tile == 0) {
        state.head = head_terms(p, block);
#pragma unroll
        for (int slot = 0; slot < kRowSlots; ++slot) {
          const int kv_index = min(kv_index_of(slot), p.kv_length - 1);
          state.terms[slot] = key_terms(p, block, kv_index);
          state.shifts[slot] = key_shift(key_bias(p, block, state.head, kv_index, keys.kv_start));
        }
      }
      if (block.kv_begin < keys.kv_end && keys.kv_start < block.kv_end) visit(block, state);
      if (WritesInputs && tile == p.q_tiles - 1)
#pragma unroll
        for (int slot = 0; slot < kRowSlots; ++slot)
          state.gradients[slot].write(p, block, kv_index_of(slot), kv_index_of(slot) < keys.kv_end);
    }
    if constexpr (WritesInputs) state.factor_gradients.write(p, keys.batch, head, keys.kv_start, keys.kv_end);
  }

  __device__ __forceinline__ void run() {
    shared.rows.clear_padding();
    shared.columns.clear_padding();
    shared.rows.load_keys(p, keys.batch, keys.kv_head, keys.kv_start);
    commit_copies();
    for (int i = 0; i < p.heads_per_kv_head; ++i) visit_head(keys.kv_head * p.heads_per_kv_head + i);
    wait_for_copies();  // of keys that nobody sees
    __syncthreads();
    const int rows = keys.kv_end - keys.kv_start;
    if constexpr (WritesKeys)
      write_rows<kHeadDim>(
          shared.rows.x, d_k, p.softmax_scale,
          p.d_k + keys.batch * p.d_k_batch_stride + keys.kv_head * p.d_k_head_stride + keys.kv_start * p.d_k_row_stride,
          p.d_k_row_stride, rows);
    if constexpr (WritesValues)
      write_rows<kHeadDimV>(
          shared.rows.y, d_v, kShiftBack,
          p.d_v + keys.batch * p.d_v_batch_stride + keys.kv_head * p.d_v_head_stride + keys.kv_start * p.d_v_row_stride,
          p.d_v_row_stride, rows);
  }
};
