#pragma once

#include "backward/statistics.cuh"

// What the passes need of each query row lies, until its gradient takes the place, at the start of the row of d_q.
struct StoredStatistics {
  static __device__ __forceinline__ float2* of_row(const Parameters& p, int batch, int head, int q_index) {
    return reinterpret_cast<float2*>(p.d_q + batch * p.d_q_batch_stride + head * p.d_q_head_stride +
                                     q_index * p.d_q_row_stride);
  }
  static __device__ __forceinline__ QueryStatistics load(const Parameters& p, int batch, int head, int q_index) {
    const float2 stored = *of_row(p, batch, head, q_index);
    return {stored.x, stored.y};
  }
};
