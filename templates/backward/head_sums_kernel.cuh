#pragma once

#include "backward/add_up_heads.cuh"
#include "backward/row_kernels.cuh"

// The sums become gradients.
extern "C" __global__ void __launch_bounds__(kRowKernelThreads)
    flashbias_backward_query_sums(const __grid_constant__ Parameters p) {
  add_up_heads(p);
}
