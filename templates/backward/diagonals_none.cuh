#pragma once

#include "backward/bias.cuh"

// The bias adds nothing along diagonals.
template <int Rows, int Columns>
struct Diagonals {
  template <int Threads>
  struct Share {
    __device__ Share(const Parameters&, const Block&, const HeadTerms&, int /*thread*/, int /*kv_start*/,
                     int /*last_query*/) {}
  };
  template <int Threads>
  __device__ void store(const Share<Threads>&, int /*thread*/) {}
  __device__ float at(int) const { return 0.0f; }
};
