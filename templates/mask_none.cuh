#pragma once

#include "config.cuh"

// Keys that a query sees: the first so many.
__device__ __forceinline__ int visible_keys(const Parameters& p, int) { return p.kv_length; }
