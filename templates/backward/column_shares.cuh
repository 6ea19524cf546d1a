#pragma once

#include "backward/tiles.cuh"

// What the keys of a thread block add to sums over all keys, for each query of a tile: columns of all queries, 16 of
// these a warp, in one share, or in two of half of the columns each.
constexpr int kShareThreads = kBlockQ / 16 * 32;

__host__ __device__ constexpr int query_share_columns(int columns) {
  const int part = round_up(columns, 8 * kColumnShares) / kColumnShares;
  return kColumnShares > 1 && part > kShareStrip / 2 ? round_up(part, kShareStrip) : part;
}
template <int Columns>
using QueryShare = float[query_share_columns(Columns) / 8][4];
