#pragma once

#include "backward/factor_gradient.cuh"
#include "load_tile.cuh"

// A sample of what the generator writes in this file's place: the low-rank terms of a bias that has none.

// A tile a side ...
struct Factors {
  __device__ void clear_padding() {}
  __device__ void load_queries(const Parameters&, int /*batch*/, int /*head*/, int /*start*/) {}
  __device__ void load_keys(const Parameters&, int /*batch*/, int /*head*/, int /*start*/) {}
};
// ... and products of them, of which scores are made, in units of the softmax scale; q k^T is added.
__device__ __forceinline__ void multiply_factors(Scores&, const Parameters&, const Factors& /*rows*/,
                                                 const Factors& /*columns*/, int /*first*/) {}
// Of the factors of a side, while it is that of the rows.
struct QueryFactorGradients {
  __device__ void add(const Scores& /*gradients*/, const Factors& /*columns*/, int /*first*/) {}
  __device__ void write(const Parameters&, int /*batch*/, int /*head*/, int /*start*/, int /*end*/) const {}
};
using KeyFactorGradients = QueryFactorGradients;
