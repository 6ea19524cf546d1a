#pragma once

#include "block.cuh"
#include "fragments.cuh"
#include "ptx.cuh"

__device__ __forceinline__ void mask_scores(Scores& scores, const Parameters& p, const Block& block, int kv_start) {
#pragma unroll
  for (int slot = 0; slot < kRowSlots; ++slot) {
    const HiddenColumns hidden(p, block, block.q_start + row_of_slot(slot), kv_start);
#pragma unroll
    for (int n = 0; n < kScoreTiles; ++n)
#pragma unroll
      for (int c = 0; c < 2; ++c)
        if (hidden.contain(column_of_tile(n) + c)) scores[slot / 2][n][slot % 2 * 2 + c] = -kInfinity;
  }
}
