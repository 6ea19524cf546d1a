#pragma once

#include "config.cuh"

struct f16 {
  u16 bits;
};

__device__ __forceinline__ float value_of(f16 value) {
  float result;
  asm("cvt.f32.f16 %0, %1;" : "=f"(result) : "h"(value.bits));
  return result;
}
