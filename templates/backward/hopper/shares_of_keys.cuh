#pragma once

#include "backward/factor_sums.cuh"
#include "backward/hopper/row_operand.cuh"
#include "backward/hopper/token_tile.cuh"
#include "hopper/async_proxy.cuh"
#include "hopper/barrier.cuh"
#include "hopper/uniform_warpgroup.cuh"

// What a warpgroup adds to the sums of a tile of queries.
struct QueryShares {
  QueryShare<kHeadDim> d_q;
  QueryFactorShares factors;

  __device__ __forceinline__ void pin_sums() {
    pin(d_q);
    factors.pin_sums();
  }
};

// What the keys of a thread block add to the gradients of queries and of their factors, for a group of tiles of queries
// at a time: warpgroups hand over score gradients, and go on before they multiply what all have handed over, so that
// one may be most of a tile behind the other.
struct Shares {
  static constexpr bool kExist = true;
  static constexpr int kGroups = 2;  // the second is handed over while the first is read
  struct Storage {
    GradientTile gradients[kGroups][kShareTiles][kWarpgroups];
    Barrier handed_over[kGroups];

    __device__ __forceinline__ void init() {
      for (Barrier& barrier : handed_over) barrier.init(kThreads);
    }
  };

  RingPosition<kGroups> group;
  int first_tile = 0;  // of queries of the head, among all
  FirstFactorTiles first_factor_tiles;
  int tile = -1;         // that of this warpgroup in the group, ...
  int tile_before = -1;  // ... and in the group before; none where negative
  LeftOperand packed;

  // The walk of a head begins.
  __device__ __forceinline__ void begin(const Parameters& p, int batch, int head) {
    first_tile = (batch * p.heads + head) * p.q_tiles;
    first_factor_tiles = FirstFactorTiles(p, batch, head);
    tile_before = -1;
  }

  // Gradients of the scores of this warpgroup's keys and of a tile of queries, the first or second of the group. The
  // place was read for the group before the last, which all have done who have handed over the last.
  template <int Turn>
  __device__ __forceinline__ void hand_over(Storage& storage, const Scores& gradients, int tile_of_queries,
                                            bool has_group_before) {
    if (Turn == 0 && has_group_before) wait_for_group_before(storage);
    if (kShareTiles == 1 || uniform_warpgroup() == Turn) tile = tile_of_queries;
    pack(packed, gradients);
    ::hand_over(storage.gradients[group.slot][Turn][uniform_warpgroup()], packed);
    publish_to_async_proxy();
  }
  __device__ __forceinline__ void close_group(Storage& storage) {
    storage.handed_over[group.slot].arrive();
    group.advance();
    tile_before = tile;
    tile = -1;
  }
  __device__ __forceinline__ void wait_for_group_before(Storage& storage) const {
    const int slot = group.slot ^ 1;
    storage.handed_over[slot].wait(group.parity ^ static_cast<u32>(slot));
  }

  template <int Turn>
  __device__ __forceinline__ const auto& of_warpgroup(const Storage& storage) const {
    if constexpr (kGradientsInRegisters)
      return packed;
    else
      return storage.gradients[group.slot][Turn][uniform_warpgroup()];
  }
  // Of the group before. d_q is in units of the softmax scale.
  __device__ __forceinline__ void add(QueryShares& share, const Storage& storage,
                                      const TokenTile (&keys)[kWarpgroups]) const {
    share.pin_sums();
    const int turn = kShareTiles == 1 ? 0 : uniform_warpgroup();
#pragma unroll
    for (int i = 0; i < kWarpgroups; ++i)
      share.factors.add(share.d_q, storage.gradients[group.slot ^ 1][turn][i], keys[i].x, keys[i], i > 0);
  }
  __device__ __forceinline__ void add_to_sums(const QueryShares& share, const Parameters& p) const {
    if (tile_before < 0) return;
    const int part = kColumnShares == 1 ? 0 : uniform_warpgroup();
    QuerySums<kHeadDim>::add(p.workspace + p.sums_begin, first_tile + tile_before, part, share.d_q);
    share.factors.add_to_sums(p, first_factor_tiles, tile_before, part);
  }
};
