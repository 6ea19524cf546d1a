#pragma once

#include "element.cuh"

// Where the gradient of an input of the bias is added up, in f32. A dimension along which the input is broadcast has
// stride 0: all that it served add to one number.
struct Gradient {
  float* data;
  i64 batch_stride, head_stride, row_stride;

  __device__ __forceinline__ float* row(int batch, int head, int index) const {
    return data + batch * batch_stride + head * head_stride + index * row_stride;
  }
  __device__ __forceinline__ void add(int batch, int head, int index, int column, float value) const {
    atomicAdd(row(batch, head, index) + column, value);
  }
};

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
    constexpr float kShiftBack = 1.0f / static_cast<float>(1 << static_cast<int>(kProbabilityShift));
    return sum_of_row(sum) - excess * kShiftBack * sum_of_row(mean);
  }
};

// The sum over a warp, in each of its lanes.
__device__ __forceinline__ float sum_of_warp(float value) {
#pragma unroll
  for (int distance = 16; distance > 0; distance /= 2) value += __shfl_xor_sync(0xffffffffu, value, distance);
  return value;
}
