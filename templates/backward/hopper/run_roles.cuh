#pragma once

#include "backward/hopper/supply.cuh"

// The work of a thread block in a pass: the last warpgroup fetches, the others compute.
template <class Pass>
__device__ __forceinline__ void run_roles(const Parameters& p, SharedStorage& shared, int index) {
  if (threadIdx.x == 0) {
    shared.row_tiles.init(1, kThreads);
    shared.column_tiles.init(1 + kPublishers, kThreads);
    shared.exchange.init();
    publish_barriers();
  }
  __syncthreads();
  const typename Pass::Side side(p, index);
  if (threadIdx.x >= kThreads) {
    shrink_registers<kProducerRegisters>();
    if (threadIdx.x / 32 == kThreads / 32) fetch_tiles(side, shared);
    if (publisher() >= 0) publish_columns(side, shared);
  } else {
    grow_registers<kConsumerRegisters>();
    Pass(side, shared).run();
  }
}
