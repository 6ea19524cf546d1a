#pragma once

#include "backward/probability_shift.cuh"
#include "backward/statistics.cuh"
#include "backward/tiles.cuh"

// Of a score's q k: its probability, 2^kProbabilityShift times too large as the tensor cores take it.
__device__ __forceinline__ float probability_of(float score, float bias, float log_sum_exp, float softmax_scale) {
  return exp2_approx(
      __fmaf_rn(score, softmax_scale * kLog2E, __fmaf_rn(bias - log_sum_exp, kLog2E, kProbabilityShift)));
}
// Of its d_out v: the gradient of the score, probability (d_out v - their mean over the row).
__device__ __forceinline__ float gradient_of(float d_probability, float probability, float mean) {
  return probability * __fmaf_rn(d_probability, kShiftBack, -mean * kShiftBack);
}

__device__ __forceinline__ void differentiate(float& score, float& gradient, float bias, const QueryStatistics& query,
                                              float softmax_scale, bool hidden) {
  score = hidden ? 0.0f : probability_of(score, bias, query.log_sum_exp, softmax_scale);
  gradient = hidden ? 0.0f : gradient_of(gradient, score, query.mean);
}
