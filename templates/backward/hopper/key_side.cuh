#pragma once

#include "backward/hopper/storage.cuh"
#include "backward/hopper/stored_statistics.cuh"
#include "backward/key_rows.cuh"

// Rows are keys of one key head, kBlock a warpgroup; columns are the queries that see them, of one head after the other
// that shares it.
struct KeySide {
  const Parameters& p;
  KeyRows keys;

  __device__ KeySide(const Parameters& parameters, int index) : p(parameters), keys(parameters, index) {}

  // The tiles of queries of one of the heads. Without a causal mask each thread block begins at a tile of its own: else
  // all of a head would add to the same sums at once.
  struct Walk {
    const Parameters& p;
    const KeyRows& keys;
    int head, tile;  // the number of the tile among those of the head
    int tiles_left;  // this one included
    Block block;

    __device__ Walk(const KeySide& side, int of_head)
        : p(side.p), keys(side.keys), head(of_head), tile(0), tiles_left(p.q_tiles), block(block_of_tile(0)) {
      if constexpr (!kCausal) move(static_cast<int>(i64{keys.kv_start / kRowsOwned} * p.q_tiles / p.kv_tiles), 0);
      skip_blind();
    }
    __device__ __forceinline__ bool has_tile() const { return tiles_to_come() > 0; }
    __device__ __forceinline__ void advance() {
      move(1, 1);
      skip_blind();
    }

   private:
    __device__ __forceinline__ Block block_of_tile(int index) const {
      return Block(p, BlockRows(p, keys.batch, head, index));
    }
    __device__ __forceinline__ int tiles_to_come() const { return kCausal ? p.q_tiles - tile : tiles_left; }
    __device__ __forceinline__ int tile_behind(int tiles) const {
      const int behind = tile + tiles;
      return !kCausal && behind >= p.q_tiles ? behind - p.q_tiles : behind;
    }
    __device__ __forceinline__ void move(int tiles, int done) {
      tile = tile_behind(tiles);
      tiles_left -= done;
    }
    __device__ __forceinline__ bool sees_keys(const Block& queries) const {
      return queries.kv_begin < keys.kv_end && keys.kv_start < queries.kv_end;
    }
    // Moves on to queries that see some of the keys. Whole warps come here, and each lane looks at a tile.
    __device__ __forceinline__ void skip_blind() {
#pragma unroll 1
      while (has_tile()) {
        block = block_of_tile(tile);
        if (sees_keys(block)) return;
        const int lane = static_cast<int>(threadIdx.x) % 32;
        const bool sees = lane < tiles_to_come() && sees_keys(block_of_tile(tile_behind(lane)));
        const u32 seeing = __ballot_sync(0xffffffffu, sees);
        const int blind = __popc(~seeing & (seeing - 1));  // zeros behind the last bit
        move(blind, blind);
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
