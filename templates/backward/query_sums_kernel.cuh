#pragma once

#include "backward/factor_sums.cuh"
#include "backward/store_query_sums.cuh"

// The sums become gradients.
extern "C" __global__ void __launch_bounds__(kRowKernelThreads)
    flashbias_backward_sums(const __grid_constant__ Parameters p) {
  store_d_q(p);
  store_factor_gradients(p);
}
