#pragma once

#include "block.cuh"

// The blocks that a persistent thread block works on. Under a causal mask the longest block of a head goes with its
// shortest, the second longest with the second shortest and so on: all pairs take the same time where there are no more
// queries than keys, and heads stay together in the L2 cache. Otherwise the first queries see nothing and pairs differ:
// each head begins with another, so that no thread block has the longest of every head.
struct Schedule {
  const Parameters& p;
  int pair = static_cast<int>(blockIdx.x);
  bool second = false;

  __device__ explicit Schedule(const Parameters& parameters) : p(parameters) {}

  __device__ __forceinline__ bool has_next() const { return pair < p.work_items; }
  __device__ __forceinline__ Block next() {
    const int pairs = (p.q_tiles + 1) / 2;
    const int head = pair / pairs;
    const int longest = (pair + head) % pairs;  // blocks of a head are counted from the longest
    const int shortest = p.q_tiles - 1 - longest;
    const Block block(p, static_cast<u32>(head * p.q_tiles + (second ? shortest : longest)));
    second = !second && shortest != longest;
    if (!second) pair += static_cast<int>(gridDim.x);
    return block;
  }
};
