#pragma once

#include "backward/differentiate.cuh"
#include "backward/stored_statistics.cuh"
#include "backward/terms.cuh"

// What a query needs that is a column of some keys.
struct QueryColumn {
  QueryTerms terms;
  QueryShifts shifts;
  HiddenColumns hidden;  // keys, counted from kv_start

  QueryColumn() = default;
  __device__ __forceinline__ QueryColumn(const Parameters& p, const Block& block, const HeadTerms& head, int column,
                                         int kv_start) {
    const bool exists = block.q_start + column < block.q_end;
    const int q_index = min(block.q_start + column, p.q_length - 1);
    terms = query_terms(p, block, q_index);
    const QueryStatistics statistics = StoredStatistics::load(p, block.batch, block.head, q_index);
    shifts = {exponent_shift(statistics, query_bias(p, block, head, q_index, kv_start)), gradient_shift(statistics)};
    if (exists) hidden = HiddenColumns(p, block, q_index, kv_start);
  }
};
