#pragma once

#include "block_rows.cuh"

// A sample of what the generator writes in this file's place: a query sees the keys from the first to before the end.
__device__ __forceinline__ int first_key(const Parameters& p, const BlockRows& block, int q_index) {
  return max(q_index + p.kv_length - p.q_length - 255, 0);
}
__device__ __forceinline__ int end_key(const Parameters& p, const BlockRows& block, int q_index) { return p.kv_length; }
