#pragma once

#include "backward/bias.cuh"
#include "backward/hopper/factors.cuh"
#include "backward/statistics.cuh"
#include "hopper/publishers.cuh"
#include "hopper/swizzled_tile.cuh"
#include "hopper/warpgroup.cuh"

static_assert(kBlock == kWarpgroupRows && kBlock == kPublishers && kBlock == kColumnsAtOnce,
              "a warpgroup owns a tile of rows; each publisher evaluates what belongs to a column");
constexpr int kWarpgroups = kThreads / kWarpgroupThreads;

// A tile of queries with the gradients of their outputs, or of keys with their values. Factors are a base, which takes
// no space where it is empty.
struct TokenTile : Factors {
  SwizzledTile<kBlock, kHeadDim> x;
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

struct SharedStorage {
  TokenTile rows[kWarpgroups];
  TokenTile columns[kStages];
  // Of columns that are queries ...
  alignas(8) float log_sum_exp[kStages][kBlock];
  alignas(8) float mean[kStages][kBlock];
  ColumnTerms<QueryTerms> query_terms[kStages];
  // ... or keys.
  ColumnTerms<KeyTerms> key_terms[kStages];
  Ring<1> row_tiles;
  Ring<kStages> column_tiles;
  ScoreGradients::Storage score_gradients;
};
