#pragma once

#include "config.cuh"

// The work of a thread block: kBlockQ query rows of one head.
struct BlockRows {
  int batch, head;
  int q_start, q_end;  // rows of the sequence

  __device__ BlockRows(const Parameters& p, u32 index_in_grid) {
    const int index = static_cast<int>(index_in_grid);
    const int heads_done = index / p.q_tiles;
    // Under a causal mask the last rows have the most keys: they go first, the short ones fill the gaps.
    q_start = (p.q_tiles - 1 - index % p.q_tiles) * kBlockQ;
    q_end = min(q_start + kBlockQ, p.q_length);
    head = heads_done % p.heads;
    batch = heads_done / p.heads;
  }
};
