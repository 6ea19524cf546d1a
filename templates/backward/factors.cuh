#pragma once

#include "backward/factor_sums.cuh"
#include "backward/products.cuh"
#include "backward/query_share.cuh"
#include "load_tile.cuh"

// A sample of what the generator writes in this file's place: the low-rank terms of a bias that has none.

// A tile a side ...
template <int Rows>
struct Factors {
  __device__ void clear_padding() {}
  __device__ void load_queries(const Parameters&, int /*batch*/, int /*head*/, int /*start*/) {}
  __device__ void load_keys(const Parameters&, int /*batch*/, int /*head*/, int /*start*/) {}
};
// ... and products of them, of which scores are made, in units of the softmax scale; q k^T is added.
__device__ __forceinline__ void multiply_factors(RowScores&, const Parameters&, const Factors<kBlockK>& /*rows*/,
                                                 const Factors<kBlockQ>& /*columns*/, int /*first*/) {}
// Of the factors of a side, while it is that of the rows.
struct QueryFactorGradients {
  __device__ void add(const RowScores& /*gradients*/, const Factors<kBlockQ>& /*columns*/, int /*first*/) {}
  __device__ void write(const Parameters&, int /*batch*/, int /*head*/, int /*start*/, int /*end*/) const {}
};
using KeyFactorGradients = QueryFactorGradients;
// What keys add to the gradients of queries' factors.
__device__ __forceinline__ void add_factor_shares(const Parameters&, const FirstFactorTiles&, int /*tile*/,
                                                  const ScoreTile&, const Factors<kBlockK>&) {}
