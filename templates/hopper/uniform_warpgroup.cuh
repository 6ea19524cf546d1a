#pragma once

#include "hopper/warpgroup.cuh"

// The same to all lanes of a warp that are here together, and known to be: addresses made of it take uniform registers.
__device__ __forceinline__ int uniform_warpgroup() { return __shfl_sync(0xffffffffu, warpgroup(), 0); }
