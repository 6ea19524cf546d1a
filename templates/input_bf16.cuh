#pragma once

#include "config.cuh"

struct bf16 {
  u16 bits;
};

__device__ __forceinline__ float value_of(bf16 value) { return __uint_as_float(u32{value.bits} << 16); }
