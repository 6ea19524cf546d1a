#pragma once

#include "convert.cuh"

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

// 16-bit numbers as the tensor cores take them.
__device__ __forceinline__ const u16* elements(const f16* data) { return reinterpret_cast<const u16*>(data); }
__device__ __forceinline__ const u16* elements(const bf16* data) { return reinterpret_cast<const u16*>(data); }

// Entry of a table: outside indices mean the nearest entry.
__device__ __forceinline__ int clamp_index(int index, int entries) { return min(max(index, 0), entries - 1); }
