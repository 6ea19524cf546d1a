#pragma once

#include "hopper/swizzled_tile.cuh"
#include "tile.cuh"

// The output takes the place of the queries, where shared memory has none for both.
struct QueryStorage {
  static constexpr bool kOutputTakesQueries = true;

  union {
    SwizzledTile<kBlockQ, kHeadDim> q;
    SharedTile<kBlockQ, kHeadDimV> out;
  };
};
