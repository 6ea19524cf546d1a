#pragma once

#include "backward/tiles.cuh"

// The keys that a thread block owns.
struct KeyRows {
  int batch, kv_head;
  int kv_start, kv_end;

  __device__ KeyRows(const Parameters& p, int index) {
    const int kv_heads = p.heads / p.heads_per_kv_head;
    // Under a causal mask the first keys are seen by the most queries.
    kv_start = index % p.kv_tiles * kRowsOwned;
    kv_end = min(kv_start + kRowsOwned, p.kv_length);
    kv_head = index / p.kv_tiles % kv_heads;
    batch = index / p.kv_tiles / kv_heads;
  }
};
