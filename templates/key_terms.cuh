#pragma once

#include "fragments.cuh"
#include "published_keys.cuh"

// Numbers that belong to a key, computed once a tile and read for every score. A stage is written while another is
// read. Terms is a struct of 4-byte members.
template <class Terms>
struct KeyTermColumns {
  static constexpr int kWords = sizeof(Terms) / 4;

  alignas(8) u32 words[kPublishedTiles][kWords][kBlockK];

  __device__ __forceinline__ void store(int stage, const Terms (&terms)[kKeysPerPublisher]) {
#pragma unroll
    for (int key = 0; key < kKeysPerPublisher; ++key) {
      u32 parts[kWords];
      memcpy(parts, &terms[key], sizeof(Terms));
      const int column = published_key(key);
#pragma unroll
      for (int i = 0; i < kWords; ++i)
        if (column < kBlockK) words[stage][i][column] = parts[i];
    }
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
