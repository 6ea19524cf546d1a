#pragma once

#include "backward/factor_sums.cuh"
#include "backward/hopper/products.cuh"

template <int Rank>
struct FactorGradient : FactorSums<Rank> {
  __device__ __forceinline__ void pin_sums() { pin(this->sums); }
  template <class Gradients>
  __device__ __forceinline__ void add(const Gradients& gradients, const SwizzledTile<kBlock, Rank>& columns) {
    multiply_columns<Rank>(this->sums, gradients, columns);
  }
};
