#pragma once

#include "config.cuh"

// The work of a thread block: kBlockQ query rows of one head.
struct BlockRows {
  int batch, head;
  int q_start, q_end;  // rows of the sequence

  __device__ BlockRows(const Parameters& p, int of_batch, int of_head, int tile) : batch(of_batch), head(of_head) {
    take_rows(p, tile);
  }
  __device__ BlockRows(const Parameters& p, u32 index_in_grid) {
    const int index = static_cast<int>(index_in_grid);
    const int heads_done = index / p.q_tiles;
    take_rows(p, index % p.q_tiles);
    head = heads_done % p.heads;
    batch = heads_done / p.heads;
  }

 private:
  // Under a causal mask the last rows have the most keys: they go first, the short ones fill the gaps.
  __device__ __forceinline__ void take_rows(const Parameters& p, int tile) {
    q_start = (p.q_tiles - 1 - tile) * kBlockQ;
    q_end = min(q_start + kBlockQ, p.q_length);
  }
};
