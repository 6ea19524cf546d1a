#pragma once

#include "backward/exact_sum.cuh"
#include "backward/gradient.cuh"
#include "backward/row_kernels.cuh"

// A gradient that is the same bits in every run. Where several warps add to a number, exact sums take the addends, and
// become the gradient once all have come.
class ExactGradient {
 public:
  // Sums begin and end so many floats behind the workspace's start; there are none where each number has one addend.
  __device__ __forceinline__ ExactGradient(const Gradient& to, float* workspace, i64 first, i64 end)
      : gradient(to), sums(reinterpret_cast<u64*>(workspace + first)), count((end - first) / kFloats) {}

  __device__ __forceinline__ void add(int batch, int head, int index, int column, float value) const {
    float* to = gradient.row(batch, head, index) + column;
    if (count == 0)
      *to = value;
    else
      ExactSum::add(sums + (to - gradient.data) * ExactSum::kWords, value);
  }
  // Four columns from one on, of those that there are.
  template <int Columns>
  __device__ __forceinline__ void add_four(int batch, int head, int index, int column, const float4& values) const {
    const float each[4] = {values.x, values.y, values.z, values.w};
#pragma unroll
    for (int i = 0; i < 4; ++i)
      if (column + i < Columns) add(batch, head, index, column + i, each[i]);
  }
  // By all threads of a grid.
  __device__ __forceinline__ void round() const {
    for (i64 i = thread_of_grid(); i < count; i += threads_of_grid())
      gradient.data[i] = ExactSum::round(sums + i * ExactSum::kWords);
  }

 private:
  static constexpr int kFloats = ExactSum::kWords * sizeof(u64) / sizeof(float);

  const Gradient& gradient;
  u64* sums;
  i64 count;
};
