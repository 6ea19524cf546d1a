#pragma once

#include "backward/products.cuh"

__device__ __forceinline__ void scale_scores(RowScores& scores, float factor) {
#pragma unroll
  for (int m = 0; m < kRowTiles; ++m)
#pragma unroll
    for (int n = 0; n < kColumnsAtOnce / 8; ++n)
#pragma unroll
      for (int e = 0; e < 4; ++e) scores[m][n][e] *= factor;
}
