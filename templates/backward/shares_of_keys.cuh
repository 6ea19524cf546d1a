#pragma once

#include "backward/factors.cuh"
#include "backward/query_share.cuh"

// What the keys of a thread block add to the gradients of queries and of their factors, for a tile of queries at a
// time.
struct Shares {
  static constexpr bool kExist = true;
  struct Storage {
    ScoreTile tiles[kColumnGroups > 1 ? 2 : 1];  // the second where several warps share rows

    __device__ __forceinline__ ScoreTile& gradients() { return tiles[0]; }
    __device__ __forceinline__ ScoreTile& probabilities() { return tiles[kColumnGroups > 1 ? 1 : 0]; }
  };

  int first_tile = 0;  // of queries of the head, among all
  FirstFactorTiles first_factor_tiles;

  // The walk of a head begins.
  __device__ __forceinline__ void begin(const Parameters& p, int batch, int head) {
    first_tile = (batch * p.heads + head) * p.q_tiles;
    first_factor_tiles = FirstFactorTiles(p, batch, head);
  }
  // Of scores of a warp's keys with some queries of the tile.
  static __device__ __forceinline__ void hand_over(Storage& storage, const RowScores& probabilities,
                                                   const RowScores& gradients, int first) {
    store(storage.gradients(), gradients, first);
    if (kColumnGroups > 1) store(storage.probabilities(), probabilities, first);
  }
  // Once all have: what takes the scores of all warps that share rows, ...
  template <bool WritesKeys, bool WritesValues, class Queries>
  static __device__ __forceinline__ void add_to_keys(RowSums<kHeadDim>& d_k, RowSums<kHeadDimV>& d_v, Storage& storage,
                                                     const Queries& queries) {
    if constexpr (kColumnGroups > 1 && WritesValues)
      multiply_columns<kHeadDimV>(d_v, storage.probabilities(), queries.y);
    if constexpr (kColumnGroups > 1 && WritesKeys) multiply_columns<kHeadDim>(d_k, storage.gradients(), queries.x);
  }
  // ... and of all keys. d_q is in units of the softmax scale.
  template <class Rows>
  __device__ __forceinline__ void add_to_sums(const Parameters& p, Storage& storage, const Rows& keys, int tile) const {
    add_query_share(p.workspace + p.sums_begin, first_tile + tile, storage.gradients(), keys.x);
    add_factor_shares(p, first_factor_tiles, tile, storage.gradients(), keys.factors);
  }
};
