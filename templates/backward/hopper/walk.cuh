#pragma once

#include "backward/hopper/storage.cuh"
#include "hopper/uniform_warpgroup.cuh"

constexpr bool kHasFactors = Factors::kBytes > 0;

// Begins scores = rows columns^T: with the products of factors, where there are some. The left operand is the tile of
// rows, or what was loaded of it.
template <class Left>
__device__ __forceinline__ void begin_scores(Scores& scores, const TokenTile& rows, const Left& left,
                                             const TokenTile& columns) {
  pin(scores);
  begin_products();
  if constexpr (kHasFactors)
    multiply_factors(scores, rows, columns);
  else
    multiply_rows(scores, left, columns.x, false);
}
// Once these are there: scores are in units of the softmax scale, as factors are not.
template <class Left>
__device__ __forceinline__ void go_on_with_scores(Scores& scores, const Left& left, const TokenTile& columns,
                                                  float inverse_softmax_scale) {
  pin(scores);
  scale_scores(scores, inverse_softmax_scale);
  pin(scores);
  begin_products();
  multiply_rows(scores, left, columns.x, true);
}
// Both, one behind the other.
template <class Left>
__device__ __forceinline__ void start_scores(Scores& scores, const TokenTile& rows, const Left& left,
                                             const TokenTile& columns, float inverse_softmax_scale) {
  begin_scores(scores, rows, left, columns);
  commit_products();
  if constexpr (kHasFactors) {
    wait_for_products<0>();
    go_on_with_scores(scores, left, columns, inverse_softmax_scale);
    commit_products();
  }
}
// Starts gradients = those of probabilities.
template <class Rows>
__device__ __forceinline__ void start_gradients(Scores& gradients, const Rows& rows, const TokenTile& columns) {
  pin(gradients);
  begin_products();
  multiply_rows(gradients, rows.y, columns.y, false);
  commit_products();
}

// A warpgroup's way along the columns of a walk that has some. The next scores are issued behind the sums of this tile,
// and gradients behind them, so that the tensor cores have work while exponentials are taken; and they work for the
// other warpgroup.
template <class Pass, class Walk>
__device__ __forceinline__ void walk_over_columns(Pass& pass, Walk& walk, SharedStorage& shared,
                                                  RingPosition<kStages>& position) {
  const TokenTile& rows = shared.rows[uniform_warpgroup()];
  Scores scores;
  Scores gradients;
  LeftOperand left_probabilities;
  LeftOperand left_gradients;
  int before = -1;  // slot of the tile before

  shared.column_tiles.full[position.slot].wait(position.parity);
  start_scores(scores, rows, rows.x, shared.columns[position.slot], pass.p.inverse_softmax_scale);
#pragma unroll 1
  while (true) {
    const int slot = position.slot;
    wait_for_products<1>();  // sums of the tile before
    if (before >= 0) shared.column_tiles.empty[before].arrive();
    if constexpr (Pass::kNeedsGradients) start_gradients(gradients, rows, shared.columns[slot]);
    wait_for_products<Pass::kNeedsGradients ? 1 : 0>();
    pin(scores);
    const bool masks = pass.masks(walk);
    if (masks)
      pass.template find_probabilities<true>(scores, walk, slot);
    else
      pass.template find_probabilities<false>(scores, walk, slot);
    if constexpr (Pass::kNeedsGradients) {
      wait_for_products<0>();
      pin(gradients);
      if (masks)
        pass.template find_gradients<true>(gradients, scores, walk, slot);
      else
        pass.template find_gradients<false>(gradients, scores, walk, slot);
      pack(left_gradients, gradients);
    }
    pack(left_probabilities, scores);
    pass.pin_sums();
    begin_products();
    pass.add_up(left_probabilities, left_gradients, shared.columns[slot]);
    commit_products();
    before = slot;
    position.advance();
    walk.advance();
    if (!walk.has_tile()) break;
    shared.column_tiles.full[position.slot].wait(position.parity);
    start_scores(scores, rows, rows.x, shared.columns[position.slot], pass.p.inverse_softmax_scale);
  }
  wait_for_products<0>();
  pass.pin_sums();
  shared.column_tiles.empty[before].arrive();
}
