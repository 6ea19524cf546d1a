#pragma once

#include "backward/query_sums.cuh"

// A sample of what the generator writes in this file's place: sums of the gradients of queries' factors, which here are
// none.

// Where those of a head begin: its first tile of queries among all.
struct FirstFactorTiles {
  FirstFactorTiles() = default;
  __device__ FirstFactorTiles(const Parameters&, int /*batch*/, int /*head*/) {}
};
// They become gradients.
__device__ __forceinline__ void store_factor_gradients(const Parameters&) {}
