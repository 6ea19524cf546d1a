#pragma once

#include "backward/gradient.cuh"

// Heads of batch items whose gradient of an input is one of its own.
struct DistinctHeads {
  int batches, heads;

  __device__ __forceinline__ DistinctHeads(const Parameters& p, const Gradient& gradient)
      : batches(gradient.batch_stride == 0 ? 1 : p.all_q_tiles / p.q_tiles / p.heads),
        heads(gradient.head_stride == 0 ? 1 : p.heads) {}
  __device__ __forceinline__ int index(int batch, int head) const {
    return (batches == 1 ? 0 : batch) * heads + (heads == 1 ? 0 : head);
  }
  __device__ __forceinline__ int count() const { return batches * heads; }
};
