#pragma once

#include "backward/hopper/token_tile.cuh"

// Keys add nothing to the gradients of queries.
struct Shares {
  static constexpr bool kExist = false;
  struct Storage {
    __device__ void init() {}
  };
};
