#pragma once

#include "backward/hopper/storage.cuh"
#include "backward/hopper/stored_statistics.cuh"
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
    int head, tile;  // the number of the tile among those of the head
    Block block;

    __device__ Walk(const KeySide& side, int of_head)
        : p(side.p), keys(side.keys), head(of_head), tile(0), block(block_of_tile()) {
      skip_blind();
    }
    __device__ __forceinline__ bool has_tile() const { return tile < p.q_tiles; }
    __device__ __forceinline__ void advance() {
      ++tile;
      skip_blind();
    }

   private:
    __device__ __forceinline__ Block block_of_tile() const { return Block(p, BlockRows(p, keys.batch, head, tile)); }
    // Moves on to queries that see some of the keys.
    __device__ __forceinline__ void skip_blind() {
#pragma unroll 1
      for (; has_tile(); ++tile) {
        block = block_of_tile();
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
    QueryShifts shifts;
    HiddenColumns hidden;

    __device__ Column(const Parameters& p, const Walk& walk, int column) {
      const Block& block = walk.block;
      const int kv_start = walk.keys.kv_start;
      const bool exists = block.q_start + column < block.q_end;
      const int q_index = min(block.q_start + column, p.q_length - 1);
      terms = query_terms(p, block, q_index);
      const QueryStatistics statistics = StoredStatistics::load(p, block.batch, block.head, q_index);
      shifts = {exponent_shift(statistics, query_bias(p, block, head_terms(p, block), q_index, kv_start)),
                gradient_shift(statistics)};
      if (exists) hidden = HiddenColumns(p, block, q_index, kv_start);
    }
    __device__ __forceinline__ void store(SharedStorage& shared, int slot, int column) const {
      shared.query_terms[slot].store(column, terms);
      shared.query_shifts[slot].store(column, shifts);
      shared.hidden_keys[slot].store(column, hidden);
    }
  };
};
