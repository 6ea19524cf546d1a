#pragma once

#include "fragments.cuh"

// The tensor cores cut a sum to f32 at each of their steps, always toward zero: over a hundred thousand keys that is as
// much as f16 holds. So sums start anew every few thousand keys, and what they came to is added up with rounding to
// nearest, in memory of the thread's own since it is rarely needed.
class LongSums {
 public:
  struct Memory {
    float values[kRowTiles][kOutputTiles][4];
    float sums[kRowTiles][4];
    float factor[kRowSlots];  // that both are short of
  };

  // Memory is of the caller, so that nothing else of this object needs an address.
  __device__ __forceinline__ LongSums(int keys, Memory& total) : may_start(keys > kKeysAtOnce), memory(&total) {
    // The compiler is not to know what it points to, or it would keep the total in registers.
    asm volatile("" : "+l"(memory));
  }

  // The maximum moved.
  __device__ __forceinline__ void rescale(const float (&factor)[kRowSlots]) {
    if (!is_started) return;
#pragma unroll
    for (int slot = 0; slot < kRowSlots; ++slot) memory->factor[slot] *= factor[slot];
  }

  // After the tile from kv_start on, where more follow: the sums start anew where it is time.
  __device__ __forceinline__ void after_tile(int kv_start, Output& output) {
    constexpr u32 kTilesAtOnce = kKeysAtOnce / kBlockK;
    if (!may_start || static_cast<u32>(kv_start) / kBlockK % kTilesAtOnce != 0) return;
    add_to(output);
    memcpy(memory->values, output.values, sizeof(output.values));
    memcpy(memory->sums, output.sums, sizeof(output.sums));
#pragma unroll
    for (int slot = 0; slot < kRowSlots; ++slot) memory->factor[slot] = 1.0f;
    is_started = true;
    output = Output{};
  }

  // The output becomes that of all keys.
  __device__ __forceinline__ void add_to(Output& output) const {
    if (!is_started) return;
#pragma unroll
    for (int slot = 0; slot < kRowSlots; ++slot) {
      const float factor = memory->factor[slot];
#pragma unroll
      for (int d = 0; d < kOutputTiles; ++d)
#pragma unroll
        for (int c = 0; c < 2; ++c) {
          const int i = slot % 2 * 2 + c;
          output.values[slot / 2][d][i] =
              __fmaf_rn(memory->values[slot / 2][d][i], factor, output.values[slot / 2][d][i]);
        }
#pragma unroll
      for (int c = 0; c < 2; ++c) {
        const int i = slot % 2 * 2 + c;
        output.sums[slot / 2][i] = __fmaf_rn(memory->sums[slot / 2][i], factor, output.sums[slot / 2][i]);
      }
    }
  }

 private:
  static constexpr int kKeysAtOnce = 4096;

  const bool may_start;
  bool is_started = false;
  Memory* memory;
};
