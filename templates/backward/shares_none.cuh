#pragma once

#include "backward/factors.cuh"

// Keys add nothing to the gradients of queries.
struct Shares {
  static constexpr bool kExist = false;
  struct Storage {};

  __device__ void begin(const Parameters&, int /*batch*/, int /*head*/) {}
  static __device__ void hand_over(Storage&, const RowScores& /*probabilities*/, const RowScores& /*gradients*/,
                                   int /*first*/) {}
  template <bool WritesKeys, bool WritesValues, class Queries>
  static __device__ void add_to_keys(RowSums<kHeadDim>&, RowSums<kHeadDimV>&, Storage&, const Queries& /*queries*/) {}
  template <class Rows>
  __device__ void add_to_sums(const Parameters&, Storage&, const Rows& /*keys*/, int /*tile*/) const {}
};
