#pragma once

#include "bias.cuh"
#include "fragments.cuh"

constexpr float kLn2 = 0.6931471805599453f;

// The natural log-sum-exp of each row's full scores. It has a sum of its own: the one that normalises the output adds
// up rounded probabilities. Sums are a lane's own until the end.
struct RowStatistics {
  float sum[kRowSlots] = {};

  __device__ __forceinline__ void rescale(int slot, float factor) { sum[slot] *= factor; }
  __device__ __forceinline__ void add(int slot, float probability) { sum[slot] += probability; }

  __device__ __forceinline__ void write(const Parameters& p, const Block& block, const Bias& bias,
                                        const float (&shift)[kRowSlots]) {
    float* row = p.log_sum_exp + block.batch * p.log_sum_exp_batch_stride + block.head * p.log_sum_exp_head_stride;
#pragma unroll
    for (int slot = 0; slot < kRowSlots; ++slot) {
      float total = sum[slot];
      total += __shfl_xor_sync(0xffffffffu, total, 1);
      total += __shfl_xor_sync(0xffffffffu, total, 2);
      const float log_sum = logf(total) - shift[slot] * kLn2;
      const int q_index = block.q_start + row_of_slot(slot);
      if (threadIdx.x % 4 == 0 && q_index < block.q_end)
        row[q_index] = total == 0.0f ? -kInfinity : log_sum + bias.row_offset(slot);
    }
  }
};
