#pragma once

#include "config.cuh"

struct f16 {
  u16 bits;
};
struct bf16 {
  u16 bits;
};

// Inputs of integer types are integers, all others are reals.
__device__ __forceinline__ float value_of(f16 value) {
  float result;
  asm("cvt.f32.f16 %0, %1;" : "=f"(result) : "h"(value.bits));
  return result;
}
__device__ __forceinline__ float value_of(bf16 value) { return __uint_as_float(u32{value.bits} << 16); }
__device__ __forceinline__ float value_of(float value) { return value; }
__device__ __forceinline__ int value_of(int value) { return value; }
__device__ __forceinline__ int value_of(u8 value) { return value; }
