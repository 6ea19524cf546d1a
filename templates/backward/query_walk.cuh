#pragma once

#include "backward/key_rows.cuh"
#include "block.cuh"

// The tiles of queries of a head that see some of a thread block's keys. Without a causal mask each thread block begins
// at a tile of its own: else all of a head would add to the same sums at once.
struct QueryWalk {
  const Parameters& p;
  const KeyRows& keys;
  int head, tile;  // the number of the tile among those of the head
  int tiles_left;  // this one included
  Block block;

  __device__ QueryWalk(const Parameters& parameters, const KeyRows& of_keys, int of_head)
      : p(parameters), keys(of_keys), head(of_head), tile(0), tiles_left(p.q_tiles), block(block_of_tile(0)) {
    if constexpr (!kCausal) move(static_cast<int>(i64{keys.kv_start / kRowsOwned} * p.q_tiles / p.kv_tiles), 0);
    skip_blind();
  }
  __device__ __forceinline__ bool has_tile() const { return tiles_to_come() > 0; }
  __device__ __forceinline__ void advance() {
    move(1, 1);
    skip_blind();
  }
  // The place of another walk over the same tiles.
  __device__ __forceinline__ void take(const QueryWalk& other) {
    tile = other.tile;
    tiles_left = other.tiles_left;
    block = other.block;
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
