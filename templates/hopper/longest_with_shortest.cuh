#pragma once

#include "block.cuh"

// The blocks that a persistent thread block works on, in pairs. Under a causal mask the longest block of a head goes
// with its shortest, the second longest with the second shortest and so on: all pairs take the same time, and heads
// stay together in the L2 cache. The first blocks of queries that outnumber the keys see nothing: they pair off among
// themselves, and their pairs come when those of all heads are done.
struct Schedule {
  const Parameters& p;
  int pairs;         // of a head
  int seeing_pairs;  // those that see keys
  int end_of_seeing;
  int item = static_cast<int>(blockIdx.x);
  bool second = false;

  __device__ explicit Schedule(const Parameters& parameters) : p(parameters) {
    const int blind = max(p.q_length - p.kv_length, 0) / kBlockQ;
    pairs = (p.q_tiles + 1) / 2;
    seeing_pairs = (p.q_tiles - blind + 1) / 2;
    end_of_seeing = p.work_items / pairs * seeing_pairs;
  }

  __device__ __forceinline__ bool has_next() const { return item < p.work_items; }
  __device__ __forceinline__ Block next() {
    const bool sees = item < end_of_seeing;
    const int index = sees ? item : item - end_of_seeing;
    const int pairs_of_head = sees ? seeing_pairs : pairs - seeing_pairs;
    const int head = index / pairs_of_head;
    const int pair = index % pairs_of_head;
    // Blocks of a head are counted from the longest. Of an odd number, one is alone.
    const int one = sees ? pair : 2 * (seeing_pairs + pair);
    const int other = sees ? 2 * seeing_pairs - 1 - pair : one + 1;
    const Block block(p, static_cast<u32>(head * p.q_tiles + (second ? other : one)));
    second = !second && other < p.q_tiles;
    if (!second) item += static_cast<int>(gridDim.x);
    return block;
  }
};
