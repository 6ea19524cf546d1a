#pragma once

#include "backward/differentiate.cuh"
#include "backward/stored_statistics.cuh"
#include "backward/terms.cuh"

// What a query needs that is a column of some keys.
struct QueryColumn {
  QueryTerms terms;
  QueryShifts shifts;
  HiddenColumns hidden;  // keys, counted from kv_start

  __device__ __forceinline__ QueryColumn(const Parameters& p, const Block& block, const HeadTerms& head,
                                         const QueryStatistics& statistics, int column, int kv_start) {
    const bool exists = block.q_start + column < block.q_end;
    const int q_index = index(p, block, column);
    terms = query_terms(p, block, q_index);
    shifts = {exponent_shift(statistics, query_bias(p, block, head, q_index, kv_start)), gradient_shift(statistics)};
    if (exists) hidden = HiddenColumns(p, block, q_index, kv_start);
  }

  // The query of a column, or the last.
  static __device__ __forceinline__ int index(const Parameters& p, const Block& block, int column) {
    return min(block.q_start + column, p.q_length - 1);
  }
  static __device__ __forceinline__ QueryStatistics load_statistics(const Parameters& p, const Block& block,
                                                                    int column) {
    return StoredStatistics::load(p, block.batch, block.head, index(p, block, column));
  }
};
