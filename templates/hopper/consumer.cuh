#pragma once

#include "bias.cuh"
#include "copies.cuh"
#include "hopper/async_proxy.cuh"
#include "hopper/key_walk.cuh"
#include "hopper/products.cuh"
#include "hopper/schedule.cuh"
#include "hopper/storage.cuh"
#include "hopper/wait_for_warpgroup.cuh"
#include "hopper/warpgroup.cuh"
#include "long_sums.cuh"
#include "mask_scores.cuh"
#include "row_statistics.cuh"
#include "softmax.cuh"
#include "write_output.cuh"

// Probabilities as the left operand of their product with the values.
using Probabilities = u32[kBlockK / 16][4];

__device__ __forceinline__ void pack_probabilities(Probabilities& packed, const Scores& scores) {
#pragma unroll
  for (int n = 0; n < kScoreTiles; ++n) {
    packed[n / 2][n % 2 * 2] = Element::pack(scores[0][n][0], scores[0][n][1]);
    packed[n / 2][n % 2 * 2 + 1] = Element::pack(scores[0][n][2], scores[0][n][3]);
  }
}

// A warpgroup computes 64 rows of each block, from the last visible key to the first. While it looks for the maxima of
// a tile's scores, and mostly while it turns them into probabilities (kExponentiatesLate), the tensor cores multiply
// the probabilities of the tile before with their values, and work for the other warpgroups. Products of factors are
// added to those of queries and keys, or come first (HopperHooks).
template <bool kAddsFactors>
struct Consumer {
  // Up to 64 columns, the product of the tile before is done when the maxima of the next scores are known: exponentials
  // that wait for it have their packing between them, which is free, since they start every eight cycles. A larger one
  // is under way for as long as the exponentials are.
  static constexpr bool kExponentiatesLate = kHeadDimV <= 64;

  const Parameters& p;
  SharedStorage& shared;
  RingPosition<1> queries;
  RingPosition<kStages> keys, values;
  bool keys_ready = false, values_ready = false;  // the next ones, as far as is known

  // Starts scores = queries keys^T, plus the products of factors.
  __device__ __forceinline__ void start_scores(Scores& scores, const Bias& bias) {
    if (!keys_ready) shared.keys.full[keys.slot].wait(keys.parity);
    if constexpr (Bias::kMultipliesPublished) shared.key_terms.full[keys.slot].wait(keys.parity);
    if constexpr (!kAddsFactors) bias.begin_with_factors(scores, keys.slot);
    const unsigned long long q = shared.rows.q.descriptor(warpgroup() * kWarpgroupRows);
    const unsigned long long k = shared.k[keys.slot].descriptor();
    pin(scores[0]);
    begin_products();
#pragma unroll
    for (int column = 0; column < kHeadDim; column += 16)
      multiply_scores(scores[0], q + QueryTile::column_step(column), k + KeyTile::column_step(column),
                      !kAddsFactors || column != 0);
    if constexpr (kAddsFactors) bias.add_factors(scores, keys.slot);
    bias.multiply_terms(scores, keys.slot);
    commit_products();
  }
  // Once they are there: adds the bias and masks; what the producer fetched and wrote for their keys is then free.
  __device__ __forceinline__ void finish_scores(Scores& scores, const Block& block, const Bias& bias, int kv_start) {
    pin(scores[0]);
    if constexpr (!Bias::kAddsFetched) shared.keys.empty[keys.slot].arrive();
    if constexpr (Bias::kPublishes && !Bias::kMultipliesPublished) shared.key_terms.full[keys.slot].wait(keys.parity);
    bias.add(scores, kv_start, keys.slot);
    if constexpr (Bias::kAddsFetched) shared.keys.empty[keys.slot].arrive();
    if constexpr (Bias::kPublishes) shared.key_terms.empty[keys.slot].arrive();
    if (block.masks(kv_start)) mask_scores(scores, p, block, kv_start);
    keys.advance();
    keys_ready = shared.keys.full[keys.slot].has_ended(keys.parity);
  }

  // Starts output += probabilities values.
  __device__ __forceinline__ void start_output(Output& output, const Probabilities& probabilities) {
    if (!values_ready) shared.values.full[values.slot].wait(values.parity);
    const ValuesAndOnes right(shared.v[values.slot], shared.ones);
    pin(output.values[0]);
    pin(output.sums);
    begin_products();
#pragma unroll
    for (int row = 0; row < kBlockK; row += 16) right.multiply(output, probabilities[row / 16], row);
    commit_products();
  }
  __device__ __forceinline__ void wait_for_output(Output& output) {
    wait_for_products<0>();
    pin(output.values[0]);
    pin(output.sums);
  }
  __device__ __forceinline__ void release_values() {
    shared.values.empty[values.slot].arrive();
    values.advance();
    values_ready = shared.values.full[values.slot].has_ended(values.parity);
  }

  __device__ __forceinline__ void attend(const Block& block, const Bias& bias, OnlineSoftmax& softmax,
                                         RowStatistics& statistics, Output& output) {
    Scores scores;
    Probabilities probabilities;
    LongSums::Memory total;
    LongSums long_sums(p.kv_length, total);
    int kv_start = last_kv_start(block);

    start_scores(scores, bias);
    wait_for_products<0>();
    finish_scores(scores, block, bias, kv_start);
    float factor[kRowSlots];
    bool moved = softmax.move_shift(scores, factor, statistics, bias, bias.multiplier(p), kv_start);
    if constexpr (!kExponentiatesLate) softmax.exponentiate(scores, statistics, bias, bias.multiplier(p), kv_start);

#pragma unroll 1
    for (bool first = true;; first = false) {
      // The assembler would move this wait up before the exponentials, did a loop not begin with it.
      wait_for_output(output);
      if (!first) release_values();
      if (moved) {
        output.rescale(factor);
        long_sums.rescale(factor);
      }
      if constexpr (kExponentiatesLate) softmax.exponentiate(scores, statistics, bias, bias.multiplier(p), kv_start);
      pack_probabilities(probabilities, scores);
      kv_start -= kBlockK;
      if (kv_start < block.kv_begin) break;
      if (!first) long_sums.after_tile(kv_start + 2 * kBlockK, output);

      start_scores(scores, bias);
      start_output(output, probabilities);
      wait_for_products<1>();
      finish_scores(scores, block, bias, kv_start);
      moved = softmax.move_shift(scores, factor, statistics, bias, bias.multiplier(p), kv_start);
      if constexpr (!kExponentiatesLate) softmax.exponentiate(scores, statistics, bias, bias.multiplier(p), kv_start);
      pin(scores[0]);
    }

    if (!QueryStorage::kOutputTakesQueries) shared.queries.empty[0].arrive();
    start_output(output, probabilities);
    wait_for_output(output);
    release_values();
    long_sums.add_to(output);
  }

  __device__ __forceinline__ void run() {
#pragma unroll 1
    for (Schedule schedule(p); schedule.has_next();) {
      const Block block = schedule.next();
      Bias bias(p, block, shared.bias);
      if constexpr (Bias::kLoadsQueries) {
        wait_for_consumers();
        bias.load_queries();
        commit_copies();
        wait_for_copies();
        wait_for_consumers();
      }
      OnlineSoftmax softmax;
      RowStatistics statistics;
      Output output;
      const bool sees_keys = block.kv_end > block.kv_begin;
      if (sees_keys || QueryStorage::kOutputTakesQueries) {
        shared.queries.full[0].wait(queries.parity);
        queries.advance();
        if constexpr (kAddsFactors) bias.scale_queries(shared.rows.q);
      }
      if (sees_keys) attend(block, bias, softmax, statistics, output);
      statistics.write(p, block, bias, softmax.shift);
      // The rows of a warp's output lie where the queries of other warps are, or where rows that it reads were before.
      if constexpr (QueryStorage::kOutputTakesQueries)
        wait_for_consumers();
      else
        wait_for_warpgroup();
      gather_output(shared.rows.out, output, bias);
      wait_for_warpgroup();
      write_output<16, 32>(p, block, shared.rows.out, static_cast<int>(threadIdx.x) / 32 * 16, threadIdx.x % 32);
      if constexpr (QueryStorage::kOutputTakesQueries) {
        publish_to_async_proxy();
        shared.queries.empty[0].arrive();
      }
    }
  }
};
