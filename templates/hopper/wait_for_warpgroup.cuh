#pragma once

#include "hopper/warpgroup.cuh"

// Of a warpgroup that computes; barriers 0 and 1 are for all.
__device__ __forceinline__ void wait_for_warpgroup() {
  asm volatile("bar.sync %0, %1;" ::"r"(2 + warpgroup()), "n"(kWarpgroupThreads) : "memory");
}
