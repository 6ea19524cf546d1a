#pragma once

#include "backward/statistics.cuh"

// What the passes need of each query row lies at the start of the workspace, for one head after the other.
struct StoredStatistics {
  static __device__ __forceinline__ float2* of_row(const Parameters& p, int batch, int head, int q_index) {
    return reinterpret_cast<float2*>(p.workspace) + (batch * i64{p.heads} + head) * p.q_length + q_index;
  }
  static __device__ __forceinline__ QueryStatistics load(const Parameters& p, int batch, int head, int q_index) {
    const float2 stored = *of_row(p, batch, head, q_index);
    return {stored.x, stored.y};
  }
};
