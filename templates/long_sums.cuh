#pragma once

#include "fragments.cuh"

// The tensor cores cut a sum to f32 at each of their steps, always toward zero: over a hundred thousand keys that is as
// much as f16 holds. So sums start anew every few thousand keys, and what they came to is added up with rounding to
// nearest, in memory of the thread's own since it is rarely needed.
struct LongSums {
  static constexpr int kKeysAtOnce = 4096;

  struct State {
    Output total;
    float factor[kRowSlots];  // that the total is short of
    bool is_started;
  };
  const Parameters& p;
  State state;
  State* memory;  // of which the compiler does not know that it is `state`, or it would keep it in registers

  __device__ explicit LongSums(const Parameters& parameters) : p(parameters), memory(&state) {
    asm volatile("" : "+l"(memory));
    if (may_start()) memory->is_started = false;
  }

  // Short sequences never read the memory.
  __device__ __forceinline__ bool may_start() const { return p.kv_length > kKeysAtOnce; }
  __device__ __forceinline__ bool is_started() const { return may_start() && memory->is_started; }

  // The maximum moved.
  __device__ void rescale(const float (&factor)[kRowSlots]) {
    if (!is_started()) return;
#pragma unroll
    for (int slot = 0; slot < kRowSlots; ++slot) memory->factor[slot] *= factor[slot];
  }

  // After a tile: the sums start anew where it is time and more keys follow.
  __device__ __forceinline__ void after_tile(int kv_start, int kv_begin, Output& output) {
    if (!may_start() || kv_start == kv_begin || kv_start / kBlockK % (kKeysAtOnce / kBlockK) != 0) return;
    add_to(output);
    memory->total = output;
#pragma unroll
    for (int slot = 0; slot < kRowSlots; ++slot) memory->factor[slot] = 1.0f;
    memory->is_started = true;
    output = Output{};
  }

  // The output becomes that of all keys.
  __device__ void add_to(Output& output) const {
    if (!is_started()) return;
#pragma unroll
    for (int slot = 0; slot < kRowSlots; ++slot) {
      const float factor = memory->factor[slot];
#pragma unroll
      for (int d = 0; d < kOutputTiles; ++d)
#pragma unroll
        for (int c = 0; c < 2; ++c) {
          const int i = slot % 2 * 2 + c;
          output.values[slot / 2][d][i] =
              __fmaf_rn(memory->total.values[slot / 2][d][i], factor, output.values[slot / 2][d][i]);
        }
#pragma unroll
      for (int c = 0; c < 2; ++c) {
        const int i = slot % 2 * 2 + c;
        output.sums[slot / 2][i] = __fmaf_rn(memory->total.sums[slot / 2][i], factor, output.sums[slot / 2][i]);
      }
    }
  }
};
