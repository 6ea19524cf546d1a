#pragma once

#include "key_range.cuh"
#include "mask.cuh"

// Each row sees a range of keys, of those that the mask leaves. Each end of the range rises or falls over the rows.
struct Block : BlockRows {
  int kv_begin, kv_end;              // keys that any of the rows sees, from the start of the tile that has the first
  int unmasked_begin, unmasked_end;  // keys that all of the rows see

  __device__ explicit Block(const Parameters& p, u32 index_in_grid = blockIdx.x)
      : Block(p, BlockRows(p, index_in_grid)) {}
  __device__ Block(const Parameters& p, const BlockRows& rows) : BlockRows(rows) {
    const int firsts[2] = {first_key(p, *this, q_start), first_key(p, *this, q_end - 1)};
    const int ends[2] = {end_key(p, *this, q_start), end_key(p, *this, q_end - 1)};
    kv_begin = min(firsts[0], firsts[1]) / kBlockK * kBlockK;
    kv_end = min(max(ends[0], ends[1]), visible_keys(p, q_end - 1));
    unmasked_begin = max(firsts[0], firsts[1]);
    unmasked_end = min(min(ends[0], ends[1]), visible_keys(p, q_start));
  }

  // Whether some row does not see some key of the tile.
  __device__ __forceinline__ bool masks(int kv_start) const {
    return kv_start < unmasked_begin || kv_start + kBlockK > unmasked_end;
  }
};

// The columns of a tile that a row does not see.
struct HiddenColumns {
  int first = 0, end = 0;

  HiddenColumns() = default;  // all
  __device__ __forceinline__ HiddenColumns(const Parameters& p, const Block& block, int q_index, int kv_start)
      : first(first_key(p, block, q_index) - kv_start),
        end(min(end_key(p, block, q_index), visible_keys(p, q_index)) - kv_start) {}
  __device__ __forceinline__ bool contain(int column) const { return column < first || column >= end; }
};
