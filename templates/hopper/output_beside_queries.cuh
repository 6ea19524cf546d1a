#pragma once

#include "hopper/swizzled_tile.cuh"
#include "tile.cuh"

// The next queries arrive while the output leaves.
struct QueryStorage {
  static constexpr bool kOutputTakesQueries = false;

  SwizzledTile<kBlockQ, kHeadDim> q;
  SharedTile<kBlockQ, kHeadDimV> out;
};
