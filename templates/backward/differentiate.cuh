#pragma once

#include "backward/bias.cuh"
#include "backward/probability_shift.cuh"
#include "backward/statistics.cuh"
#include "backward/tiles.cuh"

// What a query brings to the exponents of its probabilities, which are 2^kProbabilityShift times too large as the
// tensor cores take them ...
__device__ __forceinline__ float exponent_shift(const QueryStatistics& query, float query_bias) {
  return __fmaf_rn(query_bias - query.log_sum_exp, kLog2E, kProbabilityShift);
}
// ... and to the gradients of its scores ...
__device__ __forceinline__ float gradient_shift(const QueryStatistics& query) { return -query.mean * kShiftBack; }
// ... and a key to exponents.
__device__ __forceinline__ float key_shift(float key_bias) { return key_bias * kLog2E; }

// Of a query that is a column.
struct QueryShifts {
  float exponent, gradient;
};

// Of a score's q k: its probability.
__device__ __forceinline__ float probability_of(float score, float of_query, float of_key, float bias,
                                                float softmax_scale) {
  float shift = of_query;
  if (kHasKeyBias) shift += of_key;
  if (kHasScoreBias) shift = __fmaf_rn(bias, kLog2E, shift);
  return exp2_approx(__fmaf_rn(score, softmax_scale * kLog2E, shift));
}
// Of its d_out v: the gradient of the score, probability (d_out v - their mean over the row).
__device__ __forceinline__ float gradient_of(float d_probability, float probability, float shift) {
  return probability * __fmaf_rn(d_probability, kShiftBack, shift);
}
