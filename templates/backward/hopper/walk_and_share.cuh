#pragma once

#include "backward/hopper/row_operand.cuh"
#include "backward/hopper/walk.cuh"
#include "hopper/uniform_warpgroup.cuh"

// Values are of no use any more: until the next product begins anew, their registers are free.
template <int Tiles>
__device__ __forceinline__ void forget(float (&accumulators)[Tiles][4]) {
  float nothing[Tiles][4];
#pragma unroll
  for (int n = 0; n < Tiles; ++n)
#pragma unroll
    for (int e = 0; e < 4; ++e) accumulators[n][e] = nothing[n][e];
}

// Of two warpgroups that compute, the second waits until the first lets it go on. The barrier is one that no other wait
// has.
__device__ __forceinline__ void wait_for_first() { asm volatile("bar.sync 6, %0;" ::"n"(kThreads) : "memory"); }
__device__ __forceinline__ void let_second_go_on() { asm volatile("bar.arrive 6, %0;" ::"n"(kThreads) : "memory"); }

// Whether registers have room for the share of dq beside the next gradients of probabilities, or only before these.
constexpr bool kShareBesideGradients = kColumnShares == 1 || query_share_columns(kHeadDim) < kColumnsAtOnce;

// The way of a warpgroup's keys along the queries of a walk that has some, where both warpgroups together add to the
// gradients of queries. The tensor cores have dv to do while gradients of scores are found, and dk and the gradients of
// the next probabilities while those are found; what both add to dq comes a group of tiles later. The second warpgroup
// starts when the first has probabilities: side by side both would wait for the tensor cores, then for exponentials.
template <class Pass, class Walk>
struct SharingWalk {
  Pass& pass;
  Walk& walk;
  SharedStorage& shared;
  RingPosition<kStages>& position;
  WarpgroupRows rows;
  Scores scores;
  Scores gradients;
  LeftOperand left;
  int before = -1;  // slot of the tile before

  __device__ __forceinline__ SharingWalk(Pass& of, Walk& along, SharedStorage& storage, RingPosition<kStages>& at)
      : pass(of), walk(along), shared(storage), position(at), rows(storage.rows[uniform_warpgroup()]) {}

  __device__ __forceinline__ void start() {
    pass.shares.begin(pass.p, walk.block.batch, walk.block.head);
    if (uniform_warpgroup() > 0) wait_for_first();
    pass.pin_sums();  // zeros, before products begin
    shared.column_tiles.full[position.slot].wait(position.parity);
    const TokenTile& columns = shared.columns[position.slot];
    start_scores(scores, rows.tile, rows.x, columns, pass.p.inverse_softmax_scale);
    wait_for_products<0>();
    pin(scores);
    start_gradients(gradients, rows, columns);
  }

  // A tile, the first or second of its group; whether another comes.
  template <int Turn>
  __device__ __forceinline__ bool step() {
    const int slot = position.slot;
    const bool masks = pass.masks(walk);
    if (masks)
      pass.template find_probabilities<true>(scores, walk, slot);
    else
      pass.template find_probabilities<false>(scores, walk, slot);
    pack(left, scores);
    if (before < 0 && uniform_warpgroup() == 0) let_second_go_on();
    wait_for_products<0>();
    pin(gradients);
    pass.pin_sums();
    if (before >= 0) shared.column_tiles.empty[before].arrive();
    begin_products();
    pass.add_values(left, shared.columns[slot]);
    commit_products();
    if (masks)
      pass.template find_gradients<true>(gradients, scores, walk, slot);
    else
      pass.template find_gradients<false>(gradients, scores, walk, slot);
    pass.shares.template hand_over<Turn>(shared.exchange, gradients, walk.tile, before >= 0);
    wait_for_products<0>();
    pass.pin_sums();
    before = slot;
    position.advance();
    walk.advance();
    if (!walk.has_tile()) {
      finish<Turn>();
      return false;
    }
    start_next<Turn>(slot);
    if constexpr (Turn == kShareTiles - 1) pass.shares.close_group(shared.exchange);
    return true;
  }

 private:
  // What the next tile needs, and what is left of the last. Registers of earlier products are free.
  template <int Turn>
  __device__ __forceinline__ void start_next(int last_slot) {
    const TokenTile& columns = shared.columns[position.slot];
    QueryShares share;
    forget(scores);
    forget(gradients);
    shared.column_tiles.full[position.slot].wait(position.parity);
    begin_scores(scores, rows.tile, rows.x, columns);
    if constexpr (kHasFactors) commit_products();
    if constexpr (Turn == 0) pass.shares.add(share, shared.exchange, shared.rows);
    commit_products();
    if constexpr (kHasFactors) {
      wait_for_products<1>();
      go_on_with_scores(scores, rows.x, columns, pass.p.inverse_softmax_scale);
      commit_products();
    }
    begin_products();
    pass.add_gradients(pass.shares.template of_warpgroup<Turn>(shared.exchange), shared.columns[last_slot]);
    commit_products();
    wait_for_products<1>();
    pin(scores);
    if constexpr (Turn == 0) share.pin_sums();
    if constexpr (kShareBesideGradients) start_gradients(gradients, rows, columns);
    if constexpr (Turn == 0) pass.shares.add_to_sums(share, pass.p);
    if constexpr (!kShareBesideGradients) start_gradients(gradients, rows, columns);
  }
  // The last tile has been handed over.
  template <int Turn>
  __device__ __forceinline__ void finish() {
    QueryShares share_before, share;
    begin_products();
    if constexpr (Turn == 0) pass.shares.add(share_before, shared.exchange, shared.rows);
    pass.add_gradients(pass.shares.template of_warpgroup<Turn>(shared.exchange), shared.columns[before]);
    commit_products();
    wait_for_products<0>();
    pass.pin_sums();
    shared.column_tiles.empty[before].arrive();
    if constexpr (Turn == 0) {
      share_before.pin_sums();
      pass.shares.add_to_sums(share_before, pass.p);
    }
    pass.shares.close_group(shared.exchange);
    pass.shares.wait_for_group_before(shared.exchange);
    begin_products();
    pass.shares.add(share, shared.exchange, shared.rows);
    commit_products();
    wait_for_products<0>();
    share.pin_sums();
    pass.shares.add_to_sums(share, pass.p);
  }
};

template <class Pass, class Walk>
__device__ __forceinline__ void walk_and_share(Pass& pass, Walk& walk, SharedStorage& shared,
                                               RingPosition<kStages>& position) {
  SharingWalk<Pass, Walk> tiles(pass, walk, shared, position);
  tiles.start();
#pragma unroll 1
  while (tiles.template step<0>()) {
    if constexpr (kShareTiles > 1)
      if (!tiles.template step<1>()) break;
  }
}
