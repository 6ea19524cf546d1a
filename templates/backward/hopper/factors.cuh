#pragma once

#include "backward/factor_sums.cuh"
#include "backward/hopper/products.cuh"
#include "backward/hopper/query_share.cuh"

// A sample of what the generator writes in this file's place: the low-rank terms of a bias that has none.

// A tile a side ...
struct Factors {
  static constexpr u32 kBytes = 0;

  __device__ void fetch_queries(const Parameters&, Barrier&, int /*start*/, int /*head*/, int /*batch*/) {}
  __device__ void fetch_keys(const Parameters&, Barrier&, int /*start*/, int /*head*/, int /*batch*/) {}
};
// ... and products of them, of which scores are made.
__device__ __forceinline__ void multiply_factors(Scores&, const Factors& /*rows*/, const Factors& /*columns*/) {}
// Of the factors of a side, while it is that of the rows; of keys, also together with the keys' gradients.
struct QueryFactorGradients {
  __device__ void pin_sums() {}
  template <class Gradients>
  __device__ void add(const Gradients& /*gradients*/, const Factors& /*columns*/) {}
  template <class Gradients>
  __device__ void add(Accumulator<kHeadDim>& d_k, const Gradients& gradients,
                      const SwizzledTile<kBlock, kHeadDim>& columns, const Factors&) {
    multiply_columns<kHeadDim>(d_k, gradients, columns);
  }
  __device__ void write(const Parameters&, int /*batch*/, int /*head*/, int /*start*/, int /*end*/) const {}
};
using KeyFactorGradients = QueryFactorGradients;
// What some keys add to those of queries, and to the gradients of these.
struct QueryFactorShares {
  __device__ void pin_sums() {}
  __device__ void add(QueryShare<kHeadDim>& d_q, const GradientTile& gradients,
                      const SwizzledTile<kBlock, kHeadDim>& keys, const Factors&, bool accumulate) {
    add_query_share<kHeadDim>(d_q, gradients, keys, accumulate);
  }
  __device__ void add_to_sums(const Parameters&, const FirstFactorTiles&, int /*tile*/, int /*part*/) const {}
};
