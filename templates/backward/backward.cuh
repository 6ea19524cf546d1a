#pragma once

#include "backward/passes.cuh"
#include "backward/statistics_kernel.cuh"

// The gradients of softmax(scale q k^T + bias) v. Each thread block owns the rows of some queries, or of some keys, and
// recomputes the probabilities that it needs. Launched once for each side, with first_block where that begins.
extern "C" __global__ void __launch_bounds__(kThreads, kBlocksPerMultiprocessor)
    flashbias_backward(const __grid_constant__ Parameters p) {
  extern __shared__ __align__(16) unsigned char shared_bytes[];
  run_pass(p, *reinterpret_cast<SharedStorage*>(shared_bytes), p.first_block + static_cast<int>(blockIdx.x));
}
