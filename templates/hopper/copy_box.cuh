#pragma once

#include "hopper/barrier.cuh"

// Starts copying a box of rows and columns to shared memory, by one thread; `arrived` counts its bytes. What lies
// outside the tensor becomes zeros.
__device__ __forceinline__ void copy_box(u32 shared, const TensorMap& map, Barrier& arrived, int column, int row,
                                         int head, int batch) {
  asm volatile(
      "cp.async.bulk.tensor.4d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6}], "
      "[%2];" ::"r"(shared),
      "l"(&map), "r"(shared_address(&arrived)), "r"(column), "r"(row), "r"(head), "r"(batch)
      : "memory");
}
