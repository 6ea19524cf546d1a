#pragma once

#include "backward/terms.cuh"
#include "block.cuh"

// The interface of what the generator writes.

using HeadTerms = NoTerms;
using QueryTerms = NoTerms;
using KeyTerms = NoTerms;

__device__ __forceinline__ HeadTerms head_terms(const Parameters&, const Block&) { return {}; }
__device__ __forceinline__ QueryTerms query_terms(const Parameters&, const Block&, int /*q_index*/) { return {}; }
__device__ __forceinline__ KeyTerms key_terms(const Parameters&, const Block&, int /*kv_index*/) { return {}; }

constexpr bool kHasKeyBias = false;
constexpr bool kHasScoreBias = false;

// The bias of a score is what its query adds, with positions counted from some key nearby ...
__device__ __forceinline__ float query_bias(const Parameters&, const Block&, const HeadTerms&, int /*q_index*/,
                                            int /*kv_origin*/) {
  return 0.0f;
}
// ... what its key adds ...
__device__ __forceinline__ float key_bias(const Parameters&, const Block&, const HeadTerms&, int /*kv_index*/,
                                          int /*kv_origin*/) {
  return 0.0f;
}
// ... and what both do together, to which that of its diagonal is added.
__device__ __forceinline__ float score_bias(const Parameters&, const Block&, const HeadTerms&, const QueryTerms&,
                                            const KeyTerms&, int /*q_index*/, int /*kv_index*/, float /*diagonal*/) {
  return 0.0f;
}

// What is summed up over the scores of a query row, for the gradients of its inputs ...
struct QueryGradients {
  __device__ void add(float /*d_bias*/, float /*probability*/, const Parameters&, const Block&, const HeadTerms&,
                      const QueryTerms&, const KeyTerms&, int /*q_index*/, int /*kv_index*/) {}
  __device__ void write(const Parameters&, const Block&, int /*q_index*/, bool /*valid*/) {}
};
// ... of a key ...
struct KeyGradients {
  __device__ void add(float /*d_bias*/, float /*probability*/, const Parameters&, const Block&, const HeadTerms&,
                      const QueryTerms&, const KeyTerms&, int /*q_index*/, int /*kv_index*/) {}
  __device__ void write(const Parameters&, const Block&, int /*kv_index*/, bool /*valid*/) {}
};
// ... and what is added up by entries of tables, or belongs to a score alone.
struct ScoreGradients {
  struct Storage {
    __device__ void clear() {}
  };
  __device__ explicit ScoreGradients(Storage&) {}
  // Of the warp's rows, before there are scores.
  __device__ void keep_row(int /*slot*/, const QueryTerms&) {}
  __device__ void add(float /*d_bias*/, float /*probability*/, const Parameters&, const Block&, const HeadTerms&,
                      const QueryTerms&, const KeyTerms&, int /*q_index*/, int /*kv_index*/) {}
  // The same of all scores of a warp together, for what is summed up first where an entry stays the same: d_bias(tile,
  // column, slot) are the gradients of the lane's scores, q_start and kv_start belong to the warp's first row and
  // column.
  template <class DBias>
  __device__ void add_together(const DBias& /*d_bias*/, const Parameters&, const Block&, const HeadTerms&,
                               const QueryTerms (&/*rows*/)[kRowSlots], const ColumnTerms<KeyTerms>&,
                               int /*first_column*/, int /*q_start*/, int /*kv_start*/) {}
  // Once there are no more scores, before all threads wait for each other and write.
  __device__ void finish(const Parameters&, const Block&) {}
  __device__ void write(const Parameters&, const Block&) {}
};
