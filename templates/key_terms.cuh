#pragma once

#include "fragments.cuh"

// Numbers that belong to a key, computed once a tile and read for every score. Two stages: one is written while the
// other is read. Terms is a struct of 4-byte members.
template <class Terms>
struct KeyTermColumns {
  static constexpr int kWords = sizeof(Terms) / 4;
  static_assert(kBlockK <= kThreads, "one thread evaluates the terms of one key");

  alignas(8) u32 words[2][kWords][kBlockK];

  __device__ __forceinline__ void store(int stage, int column, const Terms& terms) {
    u32 parts[kWords];
    memcpy(parts, &terms, sizeof(Terms));
#pragma unroll
    for (int i = 0; i < kWords; ++i) words[stage][i][column] = parts[i];
  }

  // The terms of two neighbouring keys, the first even.
  __device__ __forceinline__ void load_pair(Terms (&pair)[2], int stage, int column) const {
    u32 parts[2][kWords];
#pragma unroll
    for (int i = 0; i < kWords; ++i) {
      const uint2 both = *reinterpret_cast<const uint2*>(&words[stage][i][column]);
      parts[0][i] = both.x;
      parts[1][i] = both.y;
    }
    memcpy(&pair[0], parts[0], sizeof(Terms));
    memcpy(&pair[1], parts[1], sizeof(Terms));
  }
};
