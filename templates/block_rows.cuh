#pragma once

#include "config.cuh"

// The work of a thread block: kBlockQ query rows of one head.
struct BlockRows {
  int batch, head;
  int q_start, q_end;  // rows of the sequence

  // Under a causal mask the last rows have the most keys: they go first, the short ones fill the gaps.
  __device__ BlockRows(const Parameters& p, int of_batch, int of_head, int tile) : batch(of_batch), head(of_head) {
    q_start = (p.q_tiles - 1 - tile) * kBlockQ;
    q_end = min(q_start + kBlockQ, p.q_length);
  }
  __device__ BlockRows(const Parameters& p, int index_in_grid)
      : BlockRows(p, index_in_grid / p.q_tiles / p.heads, index_in_grid / p.q_tiles % p.heads,
                  index_in_grid % p.q_tiles) {}
};
