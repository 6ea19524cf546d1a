#pragma once

#include "backward/statistics.cuh"
#include "backward/tiles.cuh"

// Turns a score's q k into its probability, 2^kProbabilityShift times too large as the tensor cores take it, and its
// d_out v into the gradient of the score: probability (d_out v - their mean over the row).
__device__ __forceinline__ void differentiate(float& score, float& gradient, float bias, const QueryStatistics& query,
                                              float softmax_scale, bool hidden) {
  constexpr float kShiftBack = 1.0f / static_cast<float>(1 << static_cast<int>(kProbabilityShift));
  const float exponent = __fmaf_rn(score, softmax_scale, bias - query.log_sum_exp);
  score = hidden ? 0.0f : exp2_approx(__fmaf_rn(exponent, kLog2E, kProbabilityShift));
  gradient = hidden ? 0.0f : score * ((gradient - query.mean) * kShiftBack);
}
