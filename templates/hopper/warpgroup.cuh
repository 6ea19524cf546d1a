#pragma once

#include "config.cuh"

// Four warps that issue products together, for 64 rows.
constexpr int kWarpgroupThreads = 128;
constexpr int kWarpgroupRows = 64;

__device__ __forceinline__ int warpgroup() { return static_cast<int>(threadIdx.x) / kWarpgroupThreads; }

// Of all warpgroups that compute.
__device__ __forceinline__ void wait_for_consumers() { asm volatile("bar.sync 1, %0;" ::"n"(kThreads) : "memory"); }

// A thread block is launched with as many registers a thread as all can have; beyond these no one gets any, and waits.
constexpr int kAllThreads = kThreads + kWarpgroupThreads;
constexpr int kRegistersAtLaunch = 65536 / kAllThreads / 8 * 8 * kAllThreads;
static_assert(kConsumerRegisters * kThreads + kProducerRegisters * kWarpgroupThreads <= kRegistersAtLaunch);

// Hands registers of a warpgroup back for others to take, or takes them: as many a thread from here on.
template <int Registers>
__device__ __forceinline__ void shrink_registers() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(Registers));
}
template <int Registers>
__device__ __forceinline__ void grow_registers() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(Registers));
}
