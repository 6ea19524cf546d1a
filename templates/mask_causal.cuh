#pragma once

#include "config.cuh"

// Keys that a query sees: the first so many. The last query sees the last key.
__device__ __forceinline__ int visible_keys(const Parameters& p, int q_index) {
  return max(0, min(p.kv_length, q_index + 1 + p.kv_length - p.q_length));
}
