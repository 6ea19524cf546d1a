#pragma once

#include "fragments.cuh"
#include "hopper/barrier.cuh"

// What a bias may do along the way of the main loop for Hopper, beside what it does in any.
struct HopperHooks {
  // Once a thread block, by all threads.
  template <class Storage>
  static __device__ void prepare(Storage&) {}
  // Bytes of the tiles that the copy engine fetches together with the queries and with each tile of keys.
  static constexpr u32 kQueryBytes = 0;
  __device__ u32 key_bytes() const { return 0; }
  // Whether `add` reads what is fetched with the keys.
  static constexpr bool kAddsFetched = false;

  __device__ void fetch_queries(Barrier&) const {}
  __device__ void fetch_keys(Barrier&, int /*kv_start*/, int /*stage*/) const {}
  // Once the queries are there.
  template <class Tile>
  __device__ void scale_queries(Tile&) const {}
  // Whether products of factors can be added to q k^T as they are: then starts them. Where they cannot, scores become
  // these products in units of q k^T, which is added to them.
  static __device__ bool adds_factors(const Parameters&) { return true; }
  __device__ void add_factors(Scores&, int /*stage*/) const {}
  __device__ void begin_with_factors(Scores&, int /*stage*/) const {}
  // Starts other products that are added to q k^T; of what is published, where it says so.
  static constexpr bool kMultipliesPublished = false;
  __device__ void multiply_terms(Scores&, int /*stage*/) const {}
};
