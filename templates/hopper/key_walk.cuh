#pragma once

#include "block.cuh"

// Roles walk over the tiles of keys of a block from the last to the first, which begins at kv_begin; where no row sees
// a key, from before it.
__device__ __forceinline__ int last_kv_start(const Block& block) {
  return block.kv_end > block.kv_begin ? (block.kv_end - 1) / kBlockK * kBlockK : block.kv_begin - kBlockK;
}
