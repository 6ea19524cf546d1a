#pragma once

#include "backward/head_sums.cuh"

// A sample of what the generator writes in this file's place: the inputs of heads whose sums have a fixed order.
__device__ __forceinline__ void add_up_heads(const Parameters&) {}
