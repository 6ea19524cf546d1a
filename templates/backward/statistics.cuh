#pragma once

#include "backward/number.cuh"
#include "ptx.cuh"

// What the gradients need of a query row, beside its terms of the bias.
struct QueryStatistics {
  float log_sum_exp;  // natural; +infinity where it sees nothing, so that its probabilities are zeros
  float mean;         // of d_out v^T over its probabilities, which is d_out . out
};

__device__ __forceinline__ float product_of_pairs(u32 a, u32 b) {
  return value_of(Number{static_cast<u16>(a)}) * value_of(Number{static_cast<u16>(b)}) +
         value_of(Number{static_cast<u16>(a >> 16)}) * value_of(Number{static_cast<u16>(b >> 16)});
}
__device__ __forceinline__ float product_of_chunks(const uint4& a, const uint4& b) {
  return product_of_pairs(a.x, b.x) + product_of_pairs(a.y, b.y) + product_of_pairs(a.z, b.z) +
         product_of_pairs(a.w, b.w);
}

// Rows up to here see nothing (OnlineSoftmax::kHidden).
constexpr float kHiddenLogSumExp = -33554432.0f / kLog2E;

// Natural; of a row that is there.
__device__ __forceinline__ float log_sum_exp_of(const Parameters& p, int batch, int head, int q_index) {
  const float log_sum_exp =
      p.log_sum_exp[batch * p.log_sum_exp_batch_stride + head * p.log_sum_exp_head_stride + q_index];
  return log_sum_exp <= kHiddenLogSumExp ? kInfinity : log_sum_exp;
}
