#pragma once

#include "fragments.cuh"

// Supplied factors are added to full scores, not to q k^T.
__device__ __forceinline__ void scale_scores(Scores& scores, float scale) {
#pragma unroll
  for (int m = 0; m < kRowTiles; ++m)
#pragma unroll
    for (int n = 0; n < kScoreTiles; ++n)
#pragma unroll
      for (int e = 0; e < 4; ++e) scores[m][n][e] *= scale;
}
