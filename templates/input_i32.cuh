#pragma once

__device__ __forceinline__ int value_of(int value) { return value; }
