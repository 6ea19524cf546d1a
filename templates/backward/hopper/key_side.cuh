#pragma once

#include "backward/hopper/storage.cuh"
#include "backward/query_column.cuh"
#include "backward/query_walk.cuh"

// Rows are keys of one key head, kBlock a warpgroup; columns are the queries that see them, of one head after the other
// that shares it.
struct KeySide {
  const Parameters& p;
  KeyRows keys;

  __device__ KeySide(const Parameters& parameters, int index) : p(parameters), keys(parameters, index) {}

  struct Walk : QueryWalk {
    __device__ Walk(const KeySide& side, int of_head) : QueryWalk(side.p, side.keys, of_head) {}
  };

  __device__ __forceinline__ int first_head() const { return keys.kv_head * p.heads_per_kv_head; }
  __device__ __forceinline__ int heads() const { return p.q_length > 0 ? p.heads_per_kv_head : 0; }

  __device__ __forceinline__ void fetch_rows(SharedStorage& shared, Barrier& arrived, int head) const {
    for (int i = 0; i < kWarpgroups; ++i)
      shared.rows[i].fetch_keys(p, arrived, keys.kv_start + i * kBlock, head, keys.batch);
  }
  __device__ __forceinline__ void fetch_columns(TokenTile& tile, Barrier& arrived, const Walk& walk) const {
    tile.fetch_queries(p, arrived, walk.block.q_start, walk.block.head, walk.block.batch);
  }

  // What a column needs, as its publisher finds it and hands it over.
  struct Column : QueryColumn {
    DiagonalsOfPublisher diagonals;

    __device__ Column(const Parameters& p, const Walk& walk, int column)
        : QueryColumn(p, walk.block, head_terms(p, walk.block), load_statistics(p, walk.block, column), column,
                      walk.keys.kv_start),
          diagonals(p, walk.block, head_terms(p, walk.block), column, walk.keys.kv_start,
                    walk.block.q_start + kBlock - 1) {}
    __device__ __forceinline__ void store(SharedStorage& shared, int slot, int column) const {
      shared.query_terms[slot].store(column, terms);
      shared.query_shifts[slot].store(column, shifts);
      shared.hidden_keys[slot].store(column, hidden);
      shared.diagonals[slot].store(diagonals, column);
    }
  };
};
