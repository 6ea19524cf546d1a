#pragma once

#include "backward/hopper/row_operand.cuh"
#include "backward/hopper/walk.cuh"

// Starts scores = rows columns^T, and the products of factors apart.
__device__ __forceinline__ void begin_scores(Scores& scores, Scores& of_factors, const WarpgroupRows& rows,
                                             const TokenTile& columns) {
  pin(scores);
  if constexpr (Factors::kBytes > 0) pin(of_factors);
  begin_products();
  multiply_rows(scores, rows.x, columns.x, false);
  if constexpr (Factors::kBytes > 0) multiply_factors(of_factors, rows.tile, columns);
}
// Once they are there: in units of the softmax scale.
__device__ __forceinline__ void complete_scores(Scores& scores, Scores& of_factors, float inverse_softmax_scale) {
  pin(scores);
  if constexpr (Factors::kBytes > 0) {
    pin(of_factors);
    add_scaled(scores, of_factors, inverse_softmax_scale);
  }
}

// Registers for shares of dq: those of the gradients where it fills them; in a part of them it would be copied.
constexpr bool kShareInGradients = query_share_columns(kHeadDim) == kColumnsAtOnce;
template <int Tiles>
__device__ __forceinline__ auto& registers_of_shares(float (&gradients)[Tiles][4], float (&/*apart*/)[Tiles][4]) {
  return gradients;
}
template <int Tiles, int Fewer>
__device__ __forceinline__ auto& registers_of_shares(float (&/*gradients*/)[Tiles][4], float (&apart)[Fewer][4]) {
  return apart;
}

// The way of a warpgroup's keys along the queries of a walk that has some, where both warpgroups together add to the
// gradients of queries. The tensor cores have dv to do while gradients of scores are found, then wait for both
// warpgroups to hand these over; dk and the gradients of the next probabilities while those are found.
template <class Pass, class Walk>
__device__ __forceinline__ void walk_and_share(Pass& pass, Walk& walk, SharedStorage& shared,
                                               RingPosition<kStages>& position) {
  const WarpgroupRows rows(shared.rows[uniform_warpgroup()]);
  Scores scores;
  Scores of_factors;
  Scores gradients;
  QueryShare<kHeadDim> apart;
  QueryShare<kHeadDim>& d_q = registers_of_shares(gradients, apart);
  LeftOperand left;
  int before = -1;  // slot of the tile before

  pass.pin_sums();  // zeros, before products begin
  shared.column_tiles.full[position.slot].wait(position.parity);
  begin_scores(scores, of_factors, rows, shared.columns[position.slot]);
  commit_products();
  wait_for_products<0>();
  complete_scores(scores, of_factors, pass.p.inverse_softmax_scale);
  start_gradients(gradients, rows, shared.columns[position.slot]);
#pragma unroll 1
  while (true) {
    const int slot = position.slot;
    const bool masks = pass.masks(walk);
    if (masks)
      pass.template find_probabilities<true>(scores, walk, slot);
    else
      pass.template find_probabilities<false>(scores, walk, slot);
    pack(left, scores);
    wait_for_products<0>();
    pin(gradients);
    pass.pin_sums();
    if (before >= 0) release(shared.column_tiles.empty[before]);
    begin_products();
    pass.add_values(left, shared.columns[slot]);
    commit_products();
    if (masks)
      pass.template find_gradients<true>(gradients, scores, walk, slot);
    else
      pass.template find_gradients<false>(gradients, scores, walk, slot);
    pass.shares.hand_over(shared.exchange, gradients, walk.index());
    wait_for_products<0>();
    pass.pin_sums();
    before = slot;
    position.advance();
    walk.advance();
    if (!walk.has_tile()) break;
    shared.column_tiles.full[position.slot].wait(position.parity);
    begin_scores(scores, of_factors, rows, shared.columns[position.slot]);
    pass.shares.add(d_q, shared.exchange, shared.rows);
    commit_products();
    begin_products();
    pass.add_gradients(pass.shares.of_warpgroup(shared.exchange), shared.columns[slot]);
    commit_products();
    wait_for_products<1>();
    complete_scores(scores, of_factors, pass.p.inverse_softmax_scale);
    pass.shares.pin_sums(d_q);
    if constexpr (!kShareInGradients) start_gradients(gradients, rows, shared.columns[position.slot]);
    pass.shares.add_to_sums(d_q, pass.p);
    if constexpr (kShareInGradients) start_gradients(gradients, rows, shared.columns[position.slot]);
  }
  begin_products();
  pass.shares.add(d_q, shared.exchange, shared.rows);
  pass.add_gradients(pass.shares.of_warpgroup(shared.exchange), shared.columns[before]);
  commit_products();
  wait_for_products<0>();
  pass.pin_sums();
  pass.shares.pin_sums(d_q);
  pass.shares.add_to_sums(d_q, pass.p);
  release(shared.column_tiles.empty[before]);
}
