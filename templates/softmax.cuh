#pragma once

#include "bias.cuh"
#include "fragments.cuh"
#include "row_statistics.cuh"

// Softmax over keys that arrive a tile at a time (Milakov and Gimelshein 2018). Probabilities are
// 2^(multiplier score + shift), with a shift that puts a row's maximum at 2^kProbabilityShift. It stays while no lane
// of the warp has a score beyond the headroom: most tiles need no maximum over lanes and rescale nothing.
struct OnlineSoftmax {
  // Powers of two by which probabilities may exceed the largest of when the shift last moved. That one has no rounding
  // error, and those just below it have the least: without headroom, outputs between flat and peaked softmaxes are up
  // to 9 % more exact, flat ones no more.
  static constexpr float kHeadroom = 4.0f;
  // Keys with exponents up to here are hidden, as those of masks like -1e9 are meant to be: f32 rounds larger exponents
  // by more than probabilities have room for.
  static constexpr float kHidden = -33554432.0f;

  float shift[kRowSlots];  // of each row; infinity while it has seen only hidden keys

  __device__ OnlineSoftmax() {
#pragma unroll
    for (int slot = 0; slot < kRowSlots; ++slot) shift[slot] = kInfinity;
  }

  // Sees the scores of the keys from kv_start on. Returns whether the shift of a row of the warp moved: then what came
  // of earlier keys is to be multiplied, by a factor for each row slot.
  __device__ __forceinline__ bool move_shift(const Scores& scores, float (&factor)[kRowSlots],
                                             RowStatistics& statistics, const Bias& bias, float multiplier,
                                             int kv_start) {
    float lane_shift[kRowSlots];
    bool zero_exceeds = false;
#pragma unroll
    for (int slot = 0; slot < kRowSlots; ++slot) {
      lane_shift[slot] = bias.lane_shift(shift[slot], kv_start, multiplier);
      zero_exceeds |= is_beyond(lane_shift[slot]);
    }
    float maximum[kRowSlots];  // of this lane's scores, where any exceeds its row's shift
    if (__any_sync(0xffffffffu, zero_exceeds))
      find_maxima(maximum, scores);
    else
      find_positive_maxima(maximum, scores);
    bool exceeds = false;
#pragma unroll
    for (int slot = 0; slot < kRowSlots; ++slot)
      exceeds |= is_beyond(__fmaf_rn(maximum[slot], multiplier, lane_shift[slot]));
    const bool moves = __any_sync(0xffffffffu, exceeds);
    if (moves) {
      const float unshifted = bias.lane_shift(0.0f, kv_start, multiplier);
#pragma unroll
      for (int slot = 0; slot < kRowSlots; ++slot) {
        factor[slot] = move(slot, __fmaf_rn(maximum[slot], multiplier, unshifted));
        statistics.rescale(slot, factor[slot]);
      }
    }
    return moves;
  }

  // Turns these scores into probabilities.
  __device__ __forceinline__ void exponentiate(Scores& scores, RowStatistics& statistics, const Bias& bias,
                                               float multiplier, int kv_start) const {
    float finite_shift[kRowSlots];  // infinity - infinity is no number
#pragma unroll
    for (int slot = 0; slot < kRowSlots; ++slot)
      finite_shift[slot] = bias.lane_shift(shift[slot] == kInfinity ? 0.0f : shift[slot], kv_start, multiplier);
#pragma unroll
    for (int n = 0; n < kScoreTiles; ++n)
#pragma unroll
      for (int slot = 0; slot < kRowSlots; ++slot)
#pragma unroll
        for (int c = 0; c < 2; ++c) {
          float& score = scores[slot / 2][n][slot % 2 * 2 + c];
          score = exp2_approx(__fmaf_rn(score, multiplier, finite_shift[slot]));
          statistics.add(slot, score);
        }
  }

 private:
  static __device__ __forceinline__ void find_maxima(float (&maximum)[kRowSlots], const Scores& scores) {
#pragma unroll
    for (int slot = 0; slot < kRowSlots; ++slot) {
      maximum[slot] = -kInfinity;
#pragma unroll
      for (int n = 0; n < kScoreTiles; ++n)
        maximum[slot] =
            fmaxf(maximum[slot], fmaxf(scores[slot / 2][n][slot % 2 * 2], scores[slot / 2][n][slot % 2 * 2 + 1]));
    }
  }

  // Positive floats are ordered as their bits are, of which one instruction finds the largest of three. A maximum that
  // is not positive comes out as zero.
  static __device__ __forceinline__ void find_positive_maxima(float (&maximum)[kRowSlots], const Scores& scores) {
#pragma unroll
    for (int slot = 0; slot < kRowSlots; ++slot) {
      int bits = 0;
#pragma unroll
      for (int n = 0; n < kScoreTiles; ++n)
        bits = max(max(bits, __float_as_int(scores[slot / 2][n][slot % 2 * 2])),
                   __float_as_int(scores[slot / 2][n][slot % 2 * 2 + 1]));
      maximum[slot] = __int_as_float(bits);
    }
  }

  static __device__ __forceinline__ bool is_beyond(float exponent) { return exponent > kProbabilityShift + kHeadroom; }

  // Moves a row's shift if it has to, whatever those of other rows have to; returns what its earlier probabilities are
  // to be multiplied with. Exponents are without a shift here, of which the largest of all lanes counts.
  __device__ __forceinline__ float move(int slot, float exponent) {
    exponent = fmaxf(exponent, __shfl_xor_sync(0xffffffffu, exponent, 1));
    exponent = fmaxf(exponent, __shfl_xor_sync(0xffffffffu, exponent, 2));
    if (!(exponent > kHidden) || !is_beyond(exponent + shift[slot])) return 1.0f;
    const float old = shift[slot];
    shift[slot] = kProbabilityShift - exponent;
    return exp2_approx(shift[slot] - old);
  }
};
