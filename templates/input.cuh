#pragma once

#include "config.cuh"
#include "input_types.cuh"

// A tensor that the bias reads. Broadcast dimensions have stride 0.
template <class T>
struct Input {
  const T* data;
  i64 batch_stride, head_stride, row_stride;

  __device__ __forceinline__ const T* row(int batch, int head, int index) const {
    return data + batch * batch_stride + head * head_stride + index * row_stride;
  }
  __device__ __forceinline__ auto at(int batch, int head, int index, int column) const {
    return value_of(row(batch, head, index)[column]);
  }
};
