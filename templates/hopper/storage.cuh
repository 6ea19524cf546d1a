#pragma once

#include "bias.cuh"
#include "hopper/ones.cuh"
#include "hopper/query_storage.cuh"
#include "publishers.cuh"

using QueryTile = SwizzledTile<kBlockQ, kHeadDim>;
using KeyTile = SwizzledTile<kBlockK, kHeadDim>;

struct SharedStorage {
  QueryStorage rows;
  KeyTile k[kStages];
  ValueTile v[kStages];
  Ones ones;
  Ring<1> queries;
  Ring<kStages> keys, values;
  Ring<kPublishedTiles> key_terms;
  Bias::Storage bias;
};
