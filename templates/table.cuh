#pragma once

#include "copy_async.cuh"
#include "input.cuh"

// A learned table of one head in shared memory.
template <int Entries>
struct SharedTable {
  float values[Entries];

  // Starts copying f32 entries, together with the queries; other types are converted on the way.
  template <class T>
  __device__ void load(const T* entries) {
    for (int i = threadIdx.x; i < Entries; i += kThreads) start_copy(values[i], entries[i]);
  }
  __device__ __forceinline__ float operator[](int index) const { return values[index]; }

 private:
  static __device__ void start_copy(float& to, const float& from) { copy_async<4>(shared_address(&to), &from, true); }
  template <class T>
  static __device__ void start_copy(float& to, const T& from) {
    to = static_cast<float>(value_of(from));
  }
};
