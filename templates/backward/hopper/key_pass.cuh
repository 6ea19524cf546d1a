#pragma once

#include "backward/hopper/key_side.cuh"
#include "backward/hopper/store_rows.cuh"
#include "backward/hopper/walk_over_queries.cuh"
#include "hopper/uniform_warpgroup.cuh"

// What belongs to a warpgroup's keys: the matrix of scores is transposed. And what they add to those of queries.
template <bool WritesKeys, bool WritesValues, bool WritesInputs>
struct KeyPass {
  using Side = KeySide;
  static constexpr bool kNeedsGradients = WritesKeys || WritesInputs || Shares::kExist;

  const Parameters& p;
  SharedStorage& shared;
  const KeySide& side;
  int kv_start, kv_end;
  HeadTerms head;  // what belongs to one of the heads
  KeyTerms terms[kRowSlots];
  float shifts[kRowSlots];
  KeyGradients gradients[kRowSlots];
  KeyFactorGradients factor_gradients;
  Shares shares;
  Accumulator<kHeadDim> d_k;   // in units of the softmax scale
  Accumulator<kHeadDimV> d_v;  // in units of the probabilities

  __device__ KeyPass(const KeySide& of, SharedStorage& storage) : p(of.p), shared(storage), side(of) {
    kv_start = side.keys.kv_start + uniform_warpgroup() * kBlock;
    kv_end = min(kv_start + kBlock, p.kv_length);
    clear(d_k);
    clear(d_v);
  }

  __device__ __forceinline__ int kv_index_of(int slot) const { return kv_start + row_of_slot(slot); }
  __device__ __forceinline__ bool masks(const KeySide::Walk& walk) const {
    return walk.block.q_end - walk.block.q_start < kBlock || walk.block.masks(kv_start);
  }

  // How a score's query and key are numbered, where they are there.
  __device__ __forceinline__ int q_index_at(const Block& block, int column) const {
    return min(block.q_start + column, p.q_length - 1);
  }
  __device__ __forceinline__ int kv_index_at(int row) const { return min(kv_index_of(row), p.kv_length - 1); }
  __device__ __forceinline__ int row_of_block(int row) const { return uniform_warpgroup() * kBlock + row_of_slot(row); }

  template <bool Masks>
  __device__ __forceinline__ void find_probabilities(Scores& scores, const KeySide::Walk& walk, int slot) {
#pragma unroll
    for (int n = 0; n < kColumnsAtOnce / 8; ++n)
#pragma unroll
      for (int c = 0; c < 2; ++c) {
        const int column = column_of_tile(n) + c;
        const int q_index = q_index_at(walk.block, column);
        const QueryTerms query = shared.query_terms[slot].load(column);
        const float shift = shared.query_shifts[slot].load(column).exponent;
        const HiddenColumns hidden = shared.hidden_keys[slot].load(column);
#pragma unroll
        for (int row = 0; row < kRowSlots; ++row) {
          float& score = scores[n][2 * row + c];
          const float diagonal = shared.diagonals[slot].at(row_of_block(row) + kBlock - 1 - column);
          const float bias = score_bias(p, walk.block, head, query, terms[row], q_index, kv_index_at(row), diagonal);
          score = probability_of(score, shift, shifts[row], bias, p.softmax_scale);
          if (Masks && hidden.contain(row_of_block(row))) score = 0.0f;
        }
      }
  }
  template <bool Masks>
  __device__ __forceinline__ void find_gradients(Scores& of_scores, const Scores& probabilities,
                                                 const KeySide::Walk& walk, int slot) {
#pragma unroll
    for (int n = 0; n < kColumnsAtOnce / 8; ++n)
#pragma unroll
      for (int c = 0; c < 2; ++c) {
        const int column = column_of_tile(n) + c;
        const int q_index = q_index_at(walk.block, column);
        const QueryTerms query = shared.query_terms[slot].load(column);
        const float shift = shared.query_shifts[slot].load(column).gradient;
#pragma unroll
        for (int row = 0; row < kRowSlots; ++row) {
          float& gradient = of_scores[n][2 * row + c];
          const float probability = probabilities[n][2 * row + c];
          gradient = gradient_of(gradient, probability, shift);
          if (Masks && probability == 0.0f) gradient = 0.0f;  // hidden, of whatever numbers
          if (WritesInputs && gradient != 0.0f)  // where the bias is -infinity, its derivatives may be no numbers
            gradients[row].add(gradient, probability, p, walk.block, head, query, terms[row], q_index,
                               kv_index_at(row));
        }
      }
  }

  __device__ __forceinline__ void pin_sums() {
    if constexpr (WritesInputs) factor_gradients.pin_sums();
    if constexpr (WritesKeys) pin(d_k);
    if constexpr (WritesValues) pin(d_v);
  }
  __device__ __forceinline__ void add_values(const LeftOperand& probabilities, const TokenTile& columns) {
    if constexpr (WritesValues) multiply_columns<kHeadDimV>(d_v, probabilities, columns.y);
  }
  template <class Gradients>
  __device__ __forceinline__ void add_gradients(const Gradients& of_scores, const TokenTile& columns) {
    if constexpr (WritesKeys && WritesInputs)
      factor_gradients.add(d_k, of_scores, columns.x, columns);
    else if constexpr (WritesKeys)
      multiply_columns<kHeadDim>(d_k, of_scores, columns.x);
    else if constexpr (WritesInputs)
      factor_gradients.add(of_scores, columns);
  }
  __device__ __forceinline__ void add_up(const LeftOperand& left_probabilities, const LeftOperand& left_gradients,
                                         const TokenTile& columns) {
    add_values(left_probabilities, columns);
    add_gradients(left_gradients, columns);
  }

  __device__ __forceinline__ void run() {
    RingPosition<1> rows;
    RingPosition<kStages> columns;
#pragma unroll 1
    for (int i = 0; i < side.heads(); ++i) {
      KeySide::Walk walk(side, side.first_head() + i);
      if (!walk.has_tile()) continue;
      head = head_terms(p, walk.block);
#pragma unroll
      for (int slot = 0; slot < kRowSlots; ++slot) {
        terms[slot] = key_terms(p, walk.block, kv_index_at(slot));
        shifts[slot] = key_shift(key_bias(p, walk.block, head, kv_index_at(slot), side.keys.kv_start));
        gradients[slot] = {};
      }
      factor_gradients = {};
      const Block first = walk.block;
      shared.row_tiles.full[0].wait(rows.parity);
      if constexpr (Shares::kExist)
        walk_and_share(*this, walk, shared, columns);
      else
        walk_over_columns(*this, walk, shared, columns);
      shared.row_tiles.empty[0].arrive();
      rows.advance();
      if constexpr (WritesInputs) {
#pragma unroll
        for (int slot = 0; slot < kRowSlots; ++slot)
          gradients[slot].write(p, first, kv_index_of(slot), kv_index_of(slot) < kv_end);
        factor_gradients.write(p, first.batch, first.head, kv_start, kv_end);
      }
    }
    write();
  }

 private:
  __device__ __forceinline__ void write() const {
    const KeyRows& keys = side.keys;
    if constexpr (WritesKeys)
      store_rows<kHeadDim>(
          d_k, p.softmax_scale,
          p.d_k + keys.batch * p.d_k_batch_stride + keys.kv_head * p.d_k_head_stride + kv_start * p.d_k_row_stride,
          p.d_k_row_stride, kv_end - kv_start);
    if constexpr (WritesValues)
      store_rows<kHeadDimV>(
          d_v, kShiftBack,
          p.d_v + keys.batch * p.d_v_batch_stride + keys.kv_head * p.d_v_head_stride + kv_start * p.d_v_row_stride,
          p.d_v_row_stride, kv_end - kv_start);
  }
};
