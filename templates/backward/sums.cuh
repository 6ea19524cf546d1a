#pragma once

#include "backward/probability_shift.cuh"

// The sum over the four lanes that share a row, in each of them.
__device__ __forceinline__ float sum_of_row(float value) {
  value += __shfl_xor_sync(0xffffffffu, value, 1);
  return value + __shfl_xor_sync(0xffffffffu, value, 2);
}
// A sum over the keys of a query of score gradients times derivatives. The gradients of a row should add up to 0, but
// their mean comes from an output that was rounded; what they add up to instead, their excess, is spread like the
// probabilities and can be taken off again.
struct SumOverKeys {
  float sum = 0.0f;
  float mean = 0.0f;  // 2^kProbabilityShift times too large

  __device__ __forceinline__ void add(float d_bias, float probability, float derivative) {
    sum = __fmaf_rn(d_bias, derivative, sum);
    mean = __fmaf_rn(probability, derivative, mean);
  }
  __device__ __forceinline__ float of_row(float excess) const {
    return sum_of_row(sum) - excess * kShiftBack * sum_of_row(mean);
  }
};

// The sum over a warp, in each of its lanes.
__device__ __forceinline__ float sum_of_warp(float value) {
#pragma unroll
  for (int distance = 16; distance > 0; distance /= 2) value += __shfl_xor_sync(0xffffffffu, value, distance);
  return value;
}
