#pragma once

#include "backward/hopper/factors.cuh"
#include "hopper/swizzled_tile.cuh"

struct OperandTile {
  SwizzledTile<kBlock, kHeadDim> x;
};
// A tile of queries with the gradients of their outputs, or of keys with their values. Factors lie behind the queries
// or keys; they are a base, which takes no space where it is empty.
struct TokenTile : OperandTile, Factors {
  SwizzledTile<kBlock, kHeadDimV> y;

  static constexpr u32 kBytes =
      SwizzledTile<kBlock, kHeadDim>::kBytes + SwizzledTile<kBlock, kHeadDimV>::kBytes + Factors::kBytes;

  __device__ __forceinline__ void fetch_queries(const Parameters& p, Barrier& arrived, int start, int head, int batch) {
    Factors::fetch_queries(p, arrived, start, head, batch);
    x.copy_from(p.q_map, arrived, start, head, batch);
    y.copy_from(p.d_out_map, arrived, start, head, batch);
  }
  __device__ __forceinline__ void fetch_keys(const Parameters& p, Barrier& arrived, int start, int head, int batch) {
    Factors::fetch_keys(p, arrived, start, head, batch);
    x.copy_from(p.k_map, arrived, start, head / p.heads_per_kv_head, batch);
    y.copy_from(p.v_map, arrived, start, head / p.heads_per_kv_head, batch);
  }
};
