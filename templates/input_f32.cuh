#pragma once

__device__ __forceinline__ float value_of(float value) { return value; }
