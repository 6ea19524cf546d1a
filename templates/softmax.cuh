#pragma once

#include "fragments.cuh"
#include "row_statistics.cuh"

// Softmax over keys that arrive a tile at a time (Milakov and Gimelshein 2018): the running maximum of each row.
struct OnlineSoftmax {
  float maximum[kRowSlots];

  __device__ OnlineSoftmax() {
#pragma unroll
    for (int slot = 0; slot < kRowSlots; ++slot) maximum[slot] = -kInfinity;
  }

  // Turns scores into probabilities 2^(multiplier (score - maximum) + kProbabilityShift). Where the maximum of any row
  // of the warp moved, which soon stops, the output so far is to be rescaled.
  __device__ __forceinline__ bool update(Scores& scores, float (&rescale)[kRowSlots], RowStatistics& statistics,
                                         float multiplier) {
    bool moved = false;
#pragma unroll
    for (int slot = 0; slot < kRowSlots; ++slot) {
      const float old_maximum = maximum[slot];
      float row_maximum = old_maximum;
#pragma unroll
      for (int n = 0; n < kScoreTiles; ++n)
        row_maximum =
            fmaxf(row_maximum, fmaxf(scores[slot / 2][n][slot % 2 * 2], scores[slot / 2][n][slot % 2 * 2 + 1]));
      row_maximum = fmaxf(row_maximum, __shfl_xor_sync(0xffffffffu, row_maximum, 1));
      row_maximum = fmaxf(row_maximum, __shfl_xor_sync(0xffffffffu, row_maximum, 2));
      maximum[slot] = row_maximum;
      // A row that has seen only masked keys has no maximum to subtract: infinity - infinity is no number. Products are
      // rounded on their own, so that a maximum that stays gives a factor of exactly 1.
      const float subtrahend = __fmul_rn(row_maximum == -kInfinity ? 0.0f : row_maximum, multiplier);
      rescale[slot] = exp2_approx(__fmul_rn(old_maximum, multiplier) - subtrahend);
      moved |= row_maximum != old_maximum;
      statistics.rescale(slot, rescale[slot]);
#pragma unroll
      for (int n = 0; n < kScoreTiles; ++n)
#pragma unroll
        for (int c = 0; c < 2; ++c) {
          float& score = scores[slot / 2][n][slot % 2 * 2 + c];
          score = exp2_approx(__fmaf_rn(score, multiplier, kProbabilityShift - subtrahend));
          statistics.add(slot, score);
        }
    }
    return __any_sync(0xffffffffu, moved);
  }
};
