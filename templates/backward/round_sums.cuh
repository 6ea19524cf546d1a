#pragma once

#include "backward/exact_gradient.cuh"

// A sample of what the generator writes in this file's place: exact sums become gradients, by all threads of a grid.
__device__ __forceinline__ void round_sums(const Parameters&) {}
