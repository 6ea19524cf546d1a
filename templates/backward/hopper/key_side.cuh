#pragma once

#include "backward/hopper/statistics_pass.cuh"
#include "backward/hopper/storage.cuh"
#include "backward/key_rows.cuh"

// Rows are keys of one key head, kBlock a warpgroup; columns are the queries that see them, of one head after the other
// that shares it, the last first.
struct KeySide {
  const Parameters& p;
  KeyRows keys;

  __device__ KeySide(const Parameters& parameters, int index) : p(parameters), keys(parameters, index) {}

  // The tiles of queries of one of the heads.
  struct Walk {
    const Parameters& p;
    const KeyRows& keys;
    int next, end;
    Block block;

    __device__ Walk(const KeySide& side, int head)
        : p(side.p),
          keys(side.keys),
          next((side.keys.batch * side.p.heads + head) * side.p.q_tiles),
          end(next + side.p.q_tiles),
          block(p, next) {
      skip_blind();
    }
    __device__ __forceinline__ bool has_tile() const { return next < end; }
    __device__ __forceinline__ void advance() {
      ++next;
      skip_blind();
    }

   private:
    // Moves on to queries that see some of the keys.
    __device__ __forceinline__ void skip_blind() {
#pragma unroll 1
      for (; next < end; ++next) {
        block = Block(p, next);
        if (block.kv_begin < keys.kv_end && keys.kv_start < block.kv_end) return;
      }
    }
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
  struct Column {
    QueryTerms terms;
    QueryStatistics statistics;

    __device__ Column(const Parameters& p, const Walk& walk, int column) {
      const int q_index = min(walk.block.q_start + column, p.q_length - 1);
      terms = query_terms(p, walk.block, q_index);
      statistics = StoredStatistics::load(p, walk.block.batch, walk.block.head, q_index);
    }
    __device__ __forceinline__ void store(SharedStorage& shared, int slot, int column) const {
      shared.query_terms[slot].store(column, terms);
      shared.log_sum_exp[slot][column] = statistics.log_sum_exp;
      shared.mean[slot][column] = statistics.mean;
    }
  };
};
