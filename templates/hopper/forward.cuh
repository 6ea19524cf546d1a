#pragma once

#include "hopper/consumer.cuh"
#include "hopper/producer.cuh"

// Each thread block computes its share of the work, kBlockQ rows of softmax(scale q k^T + bias) v of one head after the
// other: the last warpgroup fetches, the others compute.
extern "C" __global__ void __launch_bounds__(kThreads + kWarpgroupThreads, 1)
    flashbias_forward(const __grid_constant__ Parameters p) {
  extern __shared__ __align__(1024) unsigned char shared_bytes[];
  SharedStorage& shared = *reinterpret_cast<SharedStorage*>(shared_bytes);
  shared.ones.fill();
  Bias::prepare(shared.bias);
  if (threadIdx.x == 0) {
    shared.queries.init(1, kThreads);
    shared.keys.init(1, kThreads);
    shared.values.init(1, kThreads);
    if constexpr (Bias::kPublishes) shared.key_terms.init(kPublishers, kThreads);
    publish_barriers();
  }
  __syncthreads();
  if (threadIdx.x >= kThreads) {
    shrink_registers<kProducerRegisters>();
    produce(p, shared);
  } else {
    grow_registers<kConsumerRegisters>();
    // A choice for all of the kernel: the assembler gives up overlapping products whose accumulators meet in one place.
    if (Bias::adds_factors(p))
      Consumer<true>{p, shared}.run();
    else
      Consumer<false>{p, shared}.run();
  }
}
