#pragma once

#include "backward/hopper/query_sums.cuh"
#include "backward/hopper/row_operand.cuh"
#include "backward/hopper/token_tile.cuh"

// What the keys of a thread block add to the gradients of queries and of their factors.
struct Shares {
  static constexpr bool kExist = true;
  struct Storage {
    GradientTile gradients[2][kWarpgroups];  // of two tiles of queries: the second while the first is read
  };

  QueryFactorShares factors;
  int tile = 0;  // of queries
  int slot = 0;
  LeftOperand packed;

  static __device__ __forceinline__ void clear_sums(const Parameters& p) {
    const i64 chunks = i64{p.all_q_tiles} * ((QuerySums<kHeadDim>::kTile + QueryFactorShares::kTile) / 4);
    for (i64 i = thread_of_grid(); i < chunks; i += threads_of_grid()) reinterpret_cast<float4*>(p.query_sums)[i] = {};
  }

  // Of the keys of this warpgroup, for all of them.
  __device__ __forceinline__ void hand_over(Storage& storage, const Scores& gradients, int tile_of_queries) {
    tile = tile_of_queries;
    slot ^= 1;
    pack(packed, gradients);
    ::hand_over(storage.gradients[slot][uniform_warpgroup()], packed);
    publish_to_async_proxy();
    wait_for_consumers();
  }
  __device__ __forceinline__ const auto& of_warpgroup(const Storage& storage) const {
    if constexpr (kGradientsInRegisters)
      return packed;
    else
      return storage.gradients[slot][uniform_warpgroup()];
  }
  __device__ __forceinline__ void pin_sums(QueryShare<kHeadDim>& d_q) {
    pin(d_q);
    factors.pin_sums();
  }
  // d_q is in units of the softmax scale.
  __device__ __forceinline__ void add(QueryShare<kHeadDim>& d_q, const Storage& storage,
                                      const TokenTile (&keys)[kWarpgroups]) {
    pin_sums(d_q);
#pragma unroll
    for (int i = 0; i < kWarpgroups; ++i) {
      add_query_share<kHeadDim>(d_q, storage.gradients[slot][i], keys[i].x, i > 0);
      factors.add(storage.gradients[slot][i], keys[i], i > 0);
    }
  }
  __device__ __forceinline__ void add_to_sums(const QueryShare<kHeadDim>& d_q, const Parameters& p) const {
    QuerySums<kHeadDim>::add(p.query_sums, tile, d_q);
    factors.add_to_sums(p, tile);
  }
};
