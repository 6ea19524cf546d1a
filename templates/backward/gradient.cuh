#pragma once

#include "config.cuh"

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
