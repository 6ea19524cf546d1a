#pragma once

#include "mask.cuh"

// The work of a thread block: kBlockQ query rows of one head.
struct Block {
  int batch, head;
  int q_start, q_end;  // rows of the sequence
  int kv_end;          // keys that any of the rows sees
  int unmasked_end;    // keys that all of the rows see

  __device__ explicit Block(const Parameters& p, u32 index_in_grid = blockIdx.x) {
    const int index = static_cast<int>(index_in_grid);
    const int heads_done = index / p.q_tiles;
    // Under a causal mask the last rows have the most keys: they go first, the short ones fill the gaps.
    q_start = (p.q_tiles - 1 - index % p.q_tiles) * kBlockQ;
    q_end = min(q_start + kBlockQ, p.q_length);
    head = heads_done % p.heads;
    batch = heads_done / p.heads;
    kv_end = visible_keys(p, q_end - 1);
    unmasked_end = visible_keys(p, q_start);
  }
};

// The same, found again from the grid: what few places need is not kept in registers while the keys pass by.
__device__ __forceinline__ Block find_block_again(const Parameters& p) {
  u32 index;
  asm volatile("mov.u32 %0, %%ctaid.x;" : "=r"(index));
  return Block(p, index);
}
