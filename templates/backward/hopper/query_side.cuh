#pragma once

#include "backward/hopper/storage.cuh"

// Rows are queries of one head, kBlock a warpgroup; columns are the keys that they see.
struct QuerySide {
  const Parameters& p;
  int head_index, first_tile;

  __device__ QuerySide(const Parameters& parameters, int index) : p(parameters) {
    const int blocks_a_head = (p.q_tiles + kWarpgroups - 1) / kWarpgroups;
    head_index = index / blocks_a_head;
    first_tile = index % blocks_a_head * kWarpgroups;
  }

  // The queries of a warpgroup: none where the last thread block of a head has fewer tiles.
  __device__ __forceinline__ Block rows_of(int warpgroup) const {
    const int tile = first_tile + warpgroup;
    Block block(p, head_index * p.q_tiles + min(tile, p.q_tiles - 1));
    if (tile >= p.q_tiles) block.q_end = block.q_start;
    return block;
  }

  // The first query of all, of the last warpgroup's tile.
  __device__ __forceinline__ int first_query() const { return rows_of(kWarpgroups - 1).q_start; }

  // The tiles of keys that any of them sees.
  struct Walk {
    Block block;
    int last_query, kv_start, kv_end;

    __device__ Walk(const QuerySide& side, int /*head*/) : block(side.rows_of(0)) {
      last_query = side.first_query() + kWarpgroups * kBlock - 1;
      kv_start = block.kv_begin;
      kv_end = block.kv_end;
      for (int i = 1; i < kWarpgroups; ++i) {
        const Block other = side.rows_of(i);
        kv_start = min(kv_start, other.kv_begin);
        kv_end = max(kv_end, other.kv_end);
      }
    }
    __device__ __forceinline__ bool has_tile() const { return kv_start < kv_end; }
    __device__ __forceinline__ void advance() { kv_start += kBlock; }
  };

  __device__ __forceinline__ int first_head() const { return head_index % p.heads; }
  __device__ __forceinline__ int heads() const { return 1; }

  __device__ __forceinline__ void fetch_rows(SharedStorage& shared, Barrier& arrived, int /*head*/) const {
    for (int i = 0; i < kWarpgroups; ++i) {
      const Block block = rows_of(i);
      shared.rows[i].fetch_queries(p, arrived, block.q_start, block.head, block.batch);
    }
  }
  __device__ __forceinline__ void fetch_columns(TokenTile& tile, Barrier& arrived, const Walk& walk) const {
    tile.fetch_keys(p, arrived, walk.kv_start, walk.block.head, walk.block.batch);
  }

  // What a column needs, as its publisher finds it and hands it over.
  struct Column {
    KeyTerms terms;
    float shift;
    DiagonalsOfPublisher diagonals;

    __device__ Column(const Parameters& p, const Walk& walk, int column)
        : diagonals(p, walk.block, head_terms(p, walk.block), column, walk.kv_start, walk.last_query) {
      const int kv_index = min(walk.kv_start + column, p.kv_length - 1);
      terms = key_terms(p, walk.block, kv_index);
      shift = key_shift(key_bias(p, walk.block, head_terms(p, walk.block), kv_index, walk.kv_start));
    }
    __device__ __forceinline__ void store(SharedStorage& shared, int slot, int column) const {
      shared.key_terms[slot].store(column, terms);
      if (kHasKeyBias) shared.key_shifts[slot][column] = shift;
      shared.diagonals[slot].store(diagonals, column);
    }
  };
};
