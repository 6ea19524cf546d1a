#pragma once

using u8 = unsigned char;

__device__ __forceinline__ int value_of(u8 value) { return value; }
