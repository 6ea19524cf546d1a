#pragma once

#include "backward/tiles.cuh"

// What the bias needs of a query or a key that is a column of the pass, computed once a tile. Terms is a struct of
// 4-byte members.
template <class Terms>
struct ColumnTerms {
  static constexpr int kWords = sizeof(Terms) / 4;

  alignas(8) u32 words[kWords][kBlockQ];  // two columns are read at once

  __device__ __forceinline__ void store(int column, const Terms& terms) {
    u32 parts[kWords];
    memcpy(parts, &terms, sizeof(Terms));
#pragma unroll
    for (int i = 0; i < kWords; ++i) words[i][column] = parts[i];
  }
  __device__ __forceinline__ Terms load(int column) const {
    u32 parts[kWords];
#pragma unroll
    for (int i = 0; i < kWords; ++i) parts[i] = words[i][column];
    Terms terms;
    memcpy(&terms, parts, sizeof(Terms));
    return terms;
  }
};

// In place of terms that a bias has not.
struct NoTerms {};
template <>
struct ColumnTerms<NoTerms> {
  __device__ void store(int, const NoTerms&) {}
  __device__ NoTerms load(int) const { return {}; }
};
