#pragma once

#include "config.cuh"

// What the lanes of a warp add to entries of a table, each to one at a time. Sums are kept as long as no lane's entry
// changes. Then lanes side by side that have the same entry hand theirs on to the first of them: an atomic addition
// takes as many turns as lanes add to the same number.
class EntrySum {
 public:
  // By all lanes together; add(entry, sum) adds what was kept.
  template <class Add>
  __device__ __forceinline__ void add(int to, float addend, const Add& add_to_entry) {
    if (__any_sync(kAllLanes, to != entry)) {
      flush(add_to_entry);
      entry = to;
    }
    sum += addend;
  }
  template <class Add>
  __device__ __forceinline__ void flush(const Add& add_to_entry) {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    const bool is_first = __shfl_up_sync(kAllLanes, entry, 1) != entry || lane == 0;
    const u32 behind = __ballot_sync(kAllLanes, is_first) & ~((2u << lane) - 1);
    const int end = __clz(static_cast<int>(__brev(behind)));  // the first lane of the next entry, or 32
#pragma unroll
    for (int step = 1; step < 32; step *= 2) {
      const float other = __shfl_down_sync(kAllLanes, sum, step);
      if (lane + step < end) sum += other;
    }
    if (is_first && sum != 0.0f) add_to_entry(entry, sum);
    sum = 0.0f;
  }

 private:
  static constexpr u32 kAllLanes = 0xffffffffu;

  int entry = 0;
  float sum = 0.0f;
};
