#pragma once

#include "backward/hopper/storage.cuh"

// A warp walks, and its first thread has the copy engine fetch the tiles of rows and columns of a side.
template <class Side>
__device__ __forceinline__ void fetch_tiles(const Side& side, SharedStorage& shared) {
  const bool fetches = threadIdx.x % 32 == 0;
  RingPosition<1> rows;
  RingPosition<kStages> columns;
#pragma unroll 1
  for (int i = 0; i < side.heads(); ++i) {
    const int head = side.first_head() + i;
    typename Side::Walk walk(side, head);
    if (!walk.has_tile()) continue;
    shared.row_tiles.empty[0].wait(rows.parity ^ 1);
    if (fetches) {
      Barrier& full = shared.row_tiles.full[0];
      full.arrive_and_expect(kWarpgroups * TokenTile::kBytes);
      side.fetch_rows(shared, full, head);
    }
    rows.advance();
#pragma unroll 1
    for (; walk.has_tile(); walk.advance()) {
      shared.column_tiles.empty[columns.slot].wait(columns.parity ^ 1);
      if (fetches) {
        Barrier& full = shared.column_tiles.full[columns.slot];
        full.arrive_and_expect(TokenTile::kBytes);
        side.fetch_columns(shared.columns[columns.slot], full, walk);
      }
      columns.advance();
    }
  }
}

// The publishers evaluate what belongs to each column.
template <class Side>
__device__ __forceinline__ void publish_columns(const Side& side, SharedStorage& shared) {
  RingPosition<kStages> columns;
#pragma unroll 1
  for (int i = 0; i < side.heads(); ++i)
#pragma unroll 1
    for (typename Side::Walk walk(side, side.first_head() + i); walk.has_tile(); walk.advance()) {
      const typename Side::Column column(side.p, walk, publisher());
      shared.column_tiles.empty[columns.slot].wait(columns.parity ^ 1);
      column.store(shared, columns.slot, publisher());
      shared.column_tiles.full[columns.slot].arrive();
      columns.advance();
    }
}
