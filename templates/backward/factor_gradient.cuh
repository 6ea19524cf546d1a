#pragma once

#include "backward/factor_sums.cuh"
#include "backward/products.cuh"

template <int Rank>
struct FactorGradient : FactorSums<Rank> {
  __device__ __forceinline__ void add(const Scores& gradients, const SharedTile<kBlock, Rank>& columns, int first) {
    multiply_columns<Rank>(this->sums, gradients, columns, first);
  }
};
