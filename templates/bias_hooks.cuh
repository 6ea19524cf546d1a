#pragma once

#include "block.cuh"
#include "fragments.cuh"
#include "main_loop_hooks.cuh"
#include "ptx.cuh"

// What a bias may do along the way of a thread block; by default, nothing. The bias of a kernel replaces what it needs.
struct BiasHooks : MainLoopHooks {
  static constexpr bool kPublishes = false;     // anything, by `publish`
  static constexpr bool kLoadsQueries = false;  // by `load_queries`

  // Starts asynchronous copies, together with those of the queries.
  __device__ void load_queries() {}
  // Reads what belongs to the next tile of keys into registers, and later stores it in shared memory: by publishers.
  __device__ void fetch(int /*kv_start*/) {}
  __device__ void publish(int /*stage*/) {}
  // Adds to scores q k^T score by score.
  __device__ void add(Scores&, int /*kv_start*/, int /*stage*/) const {}
  // Scores may all lack something alike for the keys of a lane: a shift of exponents, once that is counted.
  __device__ float lane_shift(float shift, int /*kv_start*/, float /*multiplier*/) const { return shift; }
  // 2^(multiplier * score) is what the softmax sums.
  __device__ float multiplier(const Parameters& p) const { return p.softmax_scale * kLog2E; }
  // What a row's scores lack because the softmax ignores it.
  __device__ float row_offset(int /*slot*/) const { return 0.0f; }
};
