#pragma once

#include "backward/hopper/query_share.cuh"
#include "hopper/barrier.cuh"

// Gradients of queries are added up by all that own keys, in f32 and as they lie in registers: a tile after the other,
// a warpgroup's half of the columns after the other, four elements of each of its threads.
struct QuerySums {
  static constexpr int kColumns = query_share_columns(kHeadDim);
  static constexpr int kTiles = kColumns / 8;
  static constexpr int kHalfTile = kBlock * kColumns;
  using Share = float[kTiles][4];

  // The share of a warpgroup on its way to them.
  struct Storage {
    alignas(128) float4 elements[kTiles][kWarpgroupThreads];
  };

  static __device__ __forceinline__ float* of_half_tile(const Parameters& p, int tile, int half) {
    return p.d_q_sums + (i64{2} * tile + half) * kHalfTile;
  }
  static __device__ __forceinline__ void clear(const Parameters& p) {
    const i64 chunks = i64{2} * p.all_q_tiles * (kHalfTile / 4);
    const i64 step = i64{gridDim.x} * blockDim.x;
    for (i64 i = i64{blockIdx.x} * blockDim.x + threadIdx.x; i < chunks; i += step)
      reinterpret_cast<float4*>(p.d_q_sums)[i] = {};
  }
  static __device__ __forceinline__ void add(const Parameters& p, int tile, const Share& share, Storage& storage) {
    const int thread = static_cast<int>(threadIdx.x) % kWarpgroupThreads;
#pragma unroll
    for (int n = 0; n < kTiles; ++n) storage.elements[n][thread] = {share[n][0], share[n][1], share[n][2], share[n][3]};
    publish_to_async_proxy();
    wait_for_warpgroup();
    if (thread != 0) return;
    asm volatile("cp.reduce.async.bulk.global.shared::cta.bulk_group.add.f32 [%0], [%1], %2;" ::"l"(
                     of_half_tile(p, tile, warpgroup())),
                 "r"(shared_address(&storage)), "n"(sizeof(Storage))
                 : "memory");
    asm volatile("cp.async.bulk.commit_group;" ::: "memory");
  }
  // Before others write to the storage: by all threads, of whom one added.
  static __device__ __forceinline__ void wait_until_read() {
    asm volatile("cp.async.bulk.wait_group.read 0;" ::: "memory");
  }
};
