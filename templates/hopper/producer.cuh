#pragma once

#include "bias.cuh"
#include "hopper/key_walk.cuh"
#include "hopper/schedule.cuh"
#include "hopper/storage.cuh"

// One thread has the copy engine fetch the tiles that the consumers work on.
struct TileFetcher {
  const Parameters& p;
  SharedStorage& shared;
  RingPosition<1> queries;
  RingPosition<kStages> tiles;

  __device__ __forceinline__ void fetch_queries(const Block& block, const Bias& bias) {
    Barrier& full = shared.queries.full[0];
    shared.queries.empty[0].wait(queries.parity ^ 1);
    full.arrive_and_expect(QueryTile::kBytes + Bias::kQueryBytes);
    bias.fetch_queries(full);
    shared.rows.q.copy_from(p.q_map, full, block.q_start, block.head, block.batch);
    queries.advance();
  }
  // The place of the queries, for the output of a block that sees no keys.
  __device__ __forceinline__ void hand_over_queries() {
    shared.queries.empty[0].wait(queries.parity ^ 1);
    shared.queries.full[0].arrive();
    queries.advance();
  }
  __device__ __forceinline__ void fetch_keys(const Block& block, const Bias& bias, int kv_start) {
    Barrier& full = shared.keys.full[tiles.slot];
    shared.keys.empty[tiles.slot].wait(tiles.parity ^ 1);
    full.arrive_and_expect(KeyTile::kBytes + bias.key_bytes());
    bias.fetch_keys(full, kv_start, tiles.slot);
    shared.k[tiles.slot].copy_from(p.k_map, full, kv_start, block.head / p.heads_per_kv_head, block.batch);
  }
  __device__ __forceinline__ void fetch_values(const Block& block, int kv_start) {
    Barrier& full = shared.values.full[tiles.slot];
    shared.values.empty[tiles.slot].wait(tiles.parity ^ 1);
    full.arrive_and_expect(ValueTile::kBytes);
    shared.v[tiles.slot].copy_from(p.v_map, full, kv_start, block.head / p.heads_per_kv_head, block.batch);
  }

  __device__ __forceinline__ void run() {
#pragma unroll 1
    for (Schedule schedule(p); schedule.has_next();) {
      const Block block = schedule.next();
      const Bias bias(p, block, shared.bias);
      const int last = last_kv_start(block);
      if (QueryStorage::kOutputTakesQueries && last < block.kv_begin) hand_over_queries();
#pragma unroll 1
      for (int kv_start = last; kv_start >= block.kv_begin; kv_start -= kBlockK) {
        fetch_keys(block, bias, kv_start);
        if (kv_start == last) fetch_queries(block, bias);
        fetch_values(block, kv_start);
        tiles.advance();
      }
    }
  }
};

// The publishers evaluate what the bias needs of each tile of keys.
__device__ __forceinline__ void publish_key_terms(const Parameters& p, SharedStorage& shared) {
  RingPosition<kStages> tiles;
#pragma unroll 1
  for (Schedule schedule(p); schedule.has_next();) {
    const Block block = schedule.next();
    Bias bias(p, block, shared.bias);
#pragma unroll 1
    for (int kv_start = last_kv_start(block); kv_start >= block.kv_begin; kv_start -= kBlockK) {
      bias.fetch(kv_start);
      shared.key_terms.empty[tiles.slot].wait(tiles.parity ^ 1);
      bias.publish(tiles.slot);
      shared.key_terms.full[tiles.slot].arrive();
      tiles.advance();
    }
  }
}

// A warpgroup that keeps the consumers supplied.
__device__ __forceinline__ void produce(const Parameters& p, SharedStorage& shared) {
  if (threadIdx.x == kThreads) TileFetcher{p, shared}.run();
  if constexpr (Bias::kPublishes)
    if (publisher() >= 0) publish_key_terms(p, shared);
}
