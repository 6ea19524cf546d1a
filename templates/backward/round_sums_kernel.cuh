#pragma once

#include "backward/round_sums.cuh"

// The sums become gradients.
extern "C" __global__ void __launch_bounds__(kRowKernelThreads)
    flashbias_backward_sums(const __grid_constant__ Parameters p) {
  round_sums(p);
}
