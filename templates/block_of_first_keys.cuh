#pragma once

#include "block_rows.cuh"
#include "mask.cuh"

// Each row sees the first keys, as many as the mask leaves.
struct Block : BlockRows {
  static constexpr int kv_begin = 0;
  int kv_end;        // keys that any of the rows sees
  int unmasked_end;  // keys that all of the rows see

  __device__ explicit Block(const Parameters& p, u32 index_in_grid = blockIdx.x)
      : Block(p, BlockRows(p, index_in_grid)) {}
  __device__ Block(const Parameters& p, const BlockRows& rows) : BlockRows(rows) {
    kv_end = visible_keys(p, q_end - 1);
    unmasked_end = visible_keys(p, q_start);
  }

  // Whether some row does not see some key of the tile.
  __device__ __forceinline__ bool masks(int kv_start) const { return kv_start + kBlockK > unmasked_end; }
};

// The columns of a tile that a row does not see.
struct HiddenColumns {
  int end = 0;

  HiddenColumns() = default;  // all
  __device__ __forceinline__ HiddenColumns(const Parameters& p, const Block&, int q_index, int kv_start)
      : end(visible_keys(p, q_index) - kv_start) {}
  __device__ __forceinline__ bool contain(int column) const { return column >= end; }
};
