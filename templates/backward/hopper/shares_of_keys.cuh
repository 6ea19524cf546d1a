#pragma once

#include "backward/hopper/query_sums.cuh"
#include "backward/hopper/token_tile.cuh"

// What the keys of a thread block add to the gradients of queries and of their factors.
struct Shares {
  static constexpr bool kExist = true;
  struct Storage {
    GradientTile gradients[2][kWarpgroups];  // of two tiles of queries: the second while the first is read
    QuerySums::Storage sums[kWarpgroups];
  };

  QueryFactorShares factors;
  int tile = 0;  // of queries
  int slot = 0;

  static __device__ __forceinline__ void clear_sums(const Parameters& p) { QuerySums::clear(p); }

  // Of the keys of this warpgroup, for all of them.
  __device__ __forceinline__ void hand_over(Storage& storage, const Scores& gradients, int tile_of_queries) {
    tile = tile_of_queries;
    slot ^= 1;
    LeftOperand packed;
    pack(packed, gradients);
    ::hand_over(storage.gradients[slot][warpgroup()], packed);
    publish_to_async_proxy();
    QuerySums::wait_until_read();
    wait_for_consumers();
  }
  __device__ __forceinline__ const GradientTile& of_warpgroup(const Storage& storage) const {
    return storage.gradients[slot][warpgroup()];
  }
  __device__ __forceinline__ void pin_sums(QuerySums::Share& d_q) {
    pin(d_q);
    factors.pin_sums();
  }
  // d_q is in units of the softmax scale.
  __device__ __forceinline__ void add(QuerySums::Share& d_q, const Storage& storage,
                                      const TokenTile (&keys)[kWarpgroups]) {
    pin_sums(d_q);
#pragma unroll
    for (int i = 0; i < kWarpgroups; ++i) {
      add_query_share<kHeadDim>(d_q, storage.gradients[slot][i], keys[i].x, i > 0);
      factors.add(storage.gradients[slot][i], keys[i], i > 0);
    }
  }
  __device__ __forceinline__ void add_to_sums(const QuerySums::Share& d_q, Storage& storage, const Parameters& p) {
    QuerySums::add(p, tile, d_q, storage.sums[warpgroup()]);
    const Block block(p, tile);
    factors.write(p, block.batch, block.head, block.q_start, block.q_end);
  }
};
