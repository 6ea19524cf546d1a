#pragma once

#include "ptx.cuh"

// Starts an asynchronous copy of Bytes (4, 8 or 16) to shared memory; zeros where not `valid`.
template <int Bytes>
__device__ __forceinline__ void copy_async(u32 shared, const void* global, bool valid) {
  const int source_bytes = valid ? Bytes : 0;
  if constexpr (Bytes == 16)
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared), "l"(global), "r"(source_bytes)
                 : "memory");
  else
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(shared), "l"(global), "n"(Bytes),
                 "r"(source_bytes)
                 : "memory");
}
