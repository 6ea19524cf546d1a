#pragma once

#include "fragments.cuh"
#include "hopper/barrier.cuh"

// What a bias may do along the way of the main loop for Hopper, beside what it does in any.
struct HopperHooks {
  static constexpr bool kHasFactors = false;
  // Bytes of the tiles that the copy engine fetches together with the queries and with each tile of keys.
  static constexpr u32 kQueryBytes = 0;
  static constexpr u32 kKeyBytes = 0;

  __device__ void fetch_queries(Barrier&) const {}
  __device__ void fetch_keys(Barrier&, int /*kv_start*/, int /*stage*/) const {}
  // Makes scores, in units of the softmax scale, of the products of factors; q k^T is added to them.
  __device__ void multiply_factors(Scores&, int /*stage*/) const {}
  // Starts products that are added to q k^T; of what is published, where it says so.
  static constexpr bool kMultipliesPublished = false;
  __device__ void multiply_terms(Scores&, int /*stage*/) const {}
};
