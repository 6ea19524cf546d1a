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
  // Four columns from one on, of those that there are.
  template <int Columns>
  __device__ __forceinline__ void add_four(int batch, int head, int index, int column, const float4& values) const {
    float* to = row(batch, head, index) + column;
    if (Columns % 4 == 0 && is_aligned(to)) {
      asm volatile("red.relaxed.gpu.global.add.v4.f32 [%0], {%1, %2, %3, %4};" ::"l"(to), "f"(values.x), "f"(values.y),
                   "f"(values.z), "f"(values.w));
      return;
    }
    const float each[4] = {values.x, values.y, values.z, values.w};
#pragma unroll
    for (int i = 0; i < 4; ++i)
      if (column + i < Columns) atomicAdd(to + i, each[i]);
  }
  // Eight columns from one on, of those that there are, of which no one else has a part.
  template <int Columns>
  __device__ __forceinline__ void store(int batch, int head, int index, int column, const float (&values)[8]) const {
    float* to = row(batch, head, index) + column;
    const bool in_fours = Columns % 4 == 0 && row_stride != 0 && is_aligned(to);
#pragma unroll
    for (int c = 0; c < 8; c += 4) {
      if (column + c >= Columns) break;
      if (in_fours) {
        *reinterpret_cast<float4*>(to + c) = {values[c], values[c + 1], values[c + 2], values[c + 3]};
        continue;
      }
#pragma unroll
      for (int i = c; i < c + 4; ++i)
        if (column + i < Columns) atomicAdd(to + i, values[i]);
    }
  }

 private:
  static __device__ __forceinline__ bool is_aligned(const float* four) {
    return reinterpret_cast<unsigned long long>(four) % sizeof(float4) == 0;
  }
};
