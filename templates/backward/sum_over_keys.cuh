#pragma once

#include "backward/probability_shift.cuh"
#include "backward/sum_of_row.cuh"

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
