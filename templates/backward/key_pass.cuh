#pragma once

#include "backward/products.cuh"
#include "backward/query_column.cuh"
#include "backward/query_walk.cuh"
#include "backward/storage.cuh"
#include "backward/write_rows.cuh"

// What belongs to kBlockK keys of one key head, and what they add to their queries: walks over the queries that see
// them, of all heads that share it. Rows are keys here and columns are queries: the matrix of scores is transposed.
template <bool WritesKeys, bool WritesValues, bool WritesInputs>
struct KeyPass {
  static constexpr bool kNeedsGradients = WritesKeys || WritesInputs || Shares::kExist;

  const Parameters& p;
  SharedStorage& shared;
  KeyRows keys;
  Shares shares;
  RowSums<kHeadDim> d_k;   // in units of the softmax scale
  RowSums<kHeadDimV> d_v;  // in units of the probabilities

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

  __device__ __forceinline__ void differentiate_scores(RowScores& scores, RowScores& gradients, HeadState& state,
                                                       const Block& block, int stage, int first, bool masks) {
#pragma unroll
    for (int n = 0; n < kColumnsAtOnce / 8; ++n)
#pragma unroll
      for (int c = 0; c < 2; ++c) {
        const int column = first + column_of_tile(n) + c;
        const int q_index = min(block.q_start + column, p.q_length - 1);
        const QueryTerms query = shared.query_terms[stage].load(column);
        const QueryShifts shifts = shared.query_shifts[stage].load(column);
        const HiddenColumns hidden = shared.hidden_keys[stage].load(column);
#pragma unroll
        for (int slot = 0; slot < kRowSlots; ++slot) {
          const int kv_index = min(kv_index_of(slot), p.kv_length - 1);
          float& probability = scores[slot / 2][n][slot % 2 * 2 + c];
          float& gradient = gradients[slot / 2][n][slot % 2 * 2 + c];
          const float diagonal = shared.diagonals[stage].at(row_of_slot(slot) + kBlockQ - 1 - column);
          const float bias = score_bias(p, block, state.head, query, state.terms[slot], q_index, kv_index, diagonal);
          probability = probability_of(probability, shifts.exponent, state.shifts[slot], bias, p.softmax_scale);
          gradient = gradient_of(gradient, probability, shifts.gradient);
          if (masks && hidden.contain(row_of_slot(slot))) probability = gradient = 0.0f;
          if (WritesInputs && gradient != 0.0f)  // where the bias is -infinity, its derivatives may be no numbers
            state.gradients[slot].add(gradient, probability, p, block, state.head, query, state.terms[slot], q_index,
                                      kv_index);
        }
      }
  }

  __device__ __forceinline__ void start_copies(const Block& block, int stage) {
    shared.columns[stage].load_queries(p, block.batch, block.head, block.q_start);
    commit_copies();
  }
  // All threads describe the diagonals of a tile.
  __device__ __forceinline__ void describe_diagonals(const Block& block, const HeadTerms& head, int stage) {
    const int thread = static_cast<int>(threadIdx.x);
    shared.diagonals[stage].store(DiagonalsOfThread(p, block, head, thread, keys.kv_start, block.q_start + kBlockQ - 1),
                                  thread);
  }
  // Whether this thread describes one of the columns of a tile.
  static __device__ __forceinline__ bool describes_column() { return threadIdx.x < kBlockQ; }
  __device__ __forceinline__ void describe_column(const Block& block, const HeadTerms& head,
                                                  const QueryStatistics& statistics, int stage) {
    const int column = static_cast<int>(threadIdx.x);
    const QueryColumn described(p, block, head, statistics, column, keys.kv_start);
    shared.query_terms[stage].store(column, described.terms);
    shared.query_shifts[stage].store(column, described.shifts);
    shared.hidden_keys[stage].store(column, described.hidden);
  }

  // What a warp finds of its own scores. Copies of the next tile start while the tensor cores work.
  __device__ __forceinline__ void multiply(HeadState& state, const QueryWalk& walk, const QueryWalk& next, int stage) {
    constexpr int kColumns = kBlockQ / kColumnGroups;
    const TokenTile<kBlockQ>& columns = shared.columns[stage];
    const Block& block = walk.block;
    const bool masks = block.q_end - block.q_start < kBlockQ || block.masks(keys.kv_start);
#pragma unroll 1
    for (int i = 0; i < kColumns; i += kColumnsAtOnce) {
      const int first = column_group() * kColumns + i;
      RowScores scores;
      RowScores gradients;
      find_scores(scores, p, shared.rows, columns, first);
      clear(gradients);
      if (kStages > 1 && i == 0 && next.has_tile()) start_copies(next.block, stage_behind(stage));
      if constexpr (kNeedsGradients) multiply_rows(gradients, shared.rows.y, columns.y, first);
      differentiate_scores(scores, gradients, state, block, stage, first, masks);
      Shares::hand_over(shared.exchange, scores, gradients, first);
      if constexpr (WritesInputs) state.factor_gradients.add(gradients, columns.factors, first);
      if constexpr (kColumnGroups == 1 && WritesValues) multiply_columns<kHeadDimV>(d_v, scores, columns.y, first);
      if constexpr (kColumnGroups == 1 && WritesKeys) multiply_columns<kHeadDim>(d_k, gradients, columns.x, first);
    }
  }

  // A tile of queries, and the start of the next.
  __device__ __forceinline__ void visit(HeadState& state, QueryWalk& walk, int stage) {
    const int next_stage = stage_behind(stage);
    QueryWalk next = walk;
    next.advance();
    wait_for_copies();
    __syncthreads();  // of all threads, and no one reads the tile before
    multiply(state, walk, next, stage);
    if (kStages == 1 || Shares::kExist) __syncthreads();  // all have handed over
    const bool describes = next.has_tile() && describes_column();
    QueryStatistics statistics;
    if (describes) statistics = QueryColumn::load_statistics(p, next.block, static_cast<int>(threadIdx.x));
    Shares::add_to_keys<WritesKeys, WritesValues>(d_k, d_v, shared.exchange, shared.columns[stage]);
    if (kStages == 1 && next.has_tile()) {
      if (kColumnGroups > 1) __syncthreads();  // all have read the tile
      start_copies(next.block, next_stage);
    }
    shares.add_to_sums(p, shared.exchange, shared.rows, walk.tile);
    if (next.has_tile()) describe_diagonals(next.block, state.head, next_stage);
    if (describes) describe_column(next.block, state.head, statistics, next_stage);
    walk.take(next);
  }

  __device__ __forceinline__ void visit_head(int head) {
    QueryWalk walk(p, keys, head);
    HeadState state;
    state.head = head_terms(p, walk.block);
#pragma unroll
    for (int slot = 0; slot < kRowSlots; ++slot) {
      const int kv_index = min(kv_index_of(slot), p.kv_length - 1);
      state.terms[slot] = key_terms(p, walk.block, kv_index);
      state.shifts[slot] = key_shift(key_bias(p, walk.block, state.head, kv_index, keys.kv_start));
    }
    shares.begin(p, keys.batch, head);
    __syncthreads();  // no one reads what belongs to the head before
    shared.rows.factors.load_keys(p, keys.batch, head, keys.kv_start);
    commit_copies();
    if (walk.has_tile()) {
      start_copies(walk.block, 0);
      describe_diagonals(walk.block, state.head, 0);
      if (describes_column())
        describe_column(walk.block, state.head,
                        QueryColumn::load_statistics(p, walk.block, static_cast<int>(threadIdx.x)), 0);
    }
#pragma unroll 1
    for (int stage = 0; walk.has_tile(); stage = stage_behind(stage)) visit(state, walk, stage);
    if constexpr (WritesInputs) {
#pragma unroll
      for (int slot = 0; slot < kRowSlots; ++slot)
        state.gradients[slot].write(p, walk.block, kv_index_of(slot), kv_index_of(slot) < keys.kv_end);
      state.factor_gradients.write(p, keys.batch, head, keys.kv_start, keys.kv_end);
    }
  }

  __device__ __forceinline__ void run() {
    shared.clear_padding();
    shared.rows.load_keys(p, keys.batch, keys.kv_head, keys.kv_start);
    commit_copies();
    const int heads = p.q_length > 0 ? p.heads_per_kv_head : 0;
    for (int i = 0; i < heads; ++i) visit_head(keys.kv_head * p.heads_per_kv_head + i);
    wait_for_copies();  // of keys that nobody sees
    __syncthreads();
    const int rows = keys.kv_end - keys.kv_start;
    if constexpr (WritesKeys)
      write_rows(
          shared.rows.x, d_k, p.softmax_scale,
          p.d_k + keys.batch * p.d_k_batch_stride + keys.kv_head * p.d_k_head_stride + keys.kv_start * p.d_k_row_stride,
          p.d_k_row_stride, rows);
    if constexpr (WritesValues)
      write_rows(
          shared.rows.y, d_v, kShiftBack,
          p.d_v + keys.batch * p.d_v_batch_stride + keys.kv_head * p.d_v_head_stride + keys.kv_start * p.d_v_row_stride,
          p.d_v_row_stride, rows);
  }
};
