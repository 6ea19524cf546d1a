#pragma once

#include "backward/hopper/factor_gradient.cuh"
#include "backward/hopper/query_sums.cuh"

// A sample of what the generator writes in this file's place: the low-rank terms of a bias that has none.

// A tile a side ...
struct Factors {
  static constexpr u32 kBytes = 0;

  __device__ void fetch_queries(const Parameters&, Barrier&, int /*start*/, int /*head*/, int /*batch*/) {}
  __device__ void fetch_keys(const Parameters&, Barrier&, int /*start*/, int /*head*/, int /*batch*/) {}
};
// ... and products of them, of which scores are made.
__device__ __forceinline__ void multiply_factors(Scores&, const Factors& /*rows*/, const Factors& /*columns*/) {}
// Of the factors of a side, while it is that of the rows.
struct QueryFactorGradients {
  __device__ void pin_sums() {}
  template <class Gradients>
  __device__ void add(const Gradients& /*gradients*/, const Factors& /*columns*/) {}
  __device__ void write(const Parameters&, int /*batch*/, int /*head*/, int /*start*/, int /*end*/) const {}
};
using KeyFactorGradients = QueryFactorGradients;
// Of those of queries, what some keys add.
struct QueryFactorShares {
  __device__ void pin_sums() {}
  __device__ void add(const GradientTile& /*gradients*/, const Factors& /*keys*/, bool /*accumulate*/) {}
  __device__ void begin(const Parameters&, int /*batch*/, int /*head*/) {}
  __device__ void add_to_sums(const Parameters&, int /*tile*/) const {}
  static __device__ void store(const Parameters&) {}
};
