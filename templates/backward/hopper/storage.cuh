#pragma once

#include "backward/diagonals.cuh"
#include "backward/differentiate.cuh"
#include "backward/hopper/shares.cuh"
#include "backward/terms.cuh"
#include "hopper/publishers.cuh"
#include "hopper/warpgroup.cuh"

static_assert(kBlock == kWarpgroupRows && kBlock == kPublishers && kBlock == kColumnsAtOnce,
              "a warpgroup owns a tile of rows; each publisher evaluates what belongs to a column");

using TileDiagonals = Diagonals<kWarpgroups * kBlock, kBlock>;
using DiagonalsOfPublisher = TileDiagonals::Share<kPublishers>;

struct SharedStorage {
  TokenTile rows[kWarpgroups];
  TokenTile columns[kStages];
  Shares::Storage exchange;
  // Of columns that are queries ...
  ColumnTerms<QueryShifts> query_shifts[kStages];
  ColumnTerms<HiddenColumns> hidden_keys[kStages];  // rows
  ColumnTerms<QueryTerms> query_terms[kStages];
  // ... or keys.
  alignas(8) float key_shifts[kStages][kBlock];
  ColumnTerms<KeyTerms> key_terms[kStages];
  TileDiagonals diagonals[kStages];
  Ring<1> row_tiles;
  Ring<kStages> column_tiles;
  ScoreGradients::Storage score_gradients;
};
