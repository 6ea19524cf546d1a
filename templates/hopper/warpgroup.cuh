#pragma once

#include "tile.cuh"

// Four warps that issue products together, for 64 rows.
constexpr int kWarpgroupThreads = 128;
constexpr int kWarpgroupRows = 64;

__device__ __forceinline__ int warpgroup() { return static_cast<int>(threadIdx.x) / kWarpgroupThreads; }
// The same to all lanes of a warp that are here together, and known to be: addresses made of it take uniform registers.
__device__ __forceinline__ int uniform_warpgroup() { return __shfl_sync(0xffffffffu, warpgroup(), 0); }

// Of all warpgroups that compute.
__device__ __forceinline__ void wait_for_consumers() { asm volatile("bar.sync 1, %0;" ::"n"(kThreads) : "memory"); }

// Of the warpgroup, one that computes.
__device__ __forceinline__ void wait_for_warpgroup() {
  asm volatile("bar.sync %0, %1;" ::"r"(2 + warpgroup()), "n"(kWarpgroupThreads) : "memory");
}

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

// What this thread wrote to shared memory may now be read, or overwritten, by the copy engine and by wgmma, once they
// are told to.
__device__ __forceinline__ void publish_to_async_proxy() {
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}
