#pragma once

#include "backward/row_kernels.cuh"
#include "backward/stored_statistics.cuh"
#include "power_of_two.cuh"

// Some lanes share a row, a chunk of 16 bytes each.
constexpr int kStatisticsLanes = power_of_two_at_least(kHeadDimV / 8);
constexpr int kStatisticsSteps = 8;
constexpr int kStatisticsRows = kRowKernelThreads / kStatisticsLanes * kStatisticsSteps;

// Finds what the passes need of each query row, of kStatisticsRows rows of a head a thread block.
extern "C" __global__ void __launch_bounds__(kRowKernelThreads)
    flashbias_backward_statistics(const __grid_constant__ Parameters p) {
  const int index = static_cast<int>(blockIdx.x);
  const int parts = (p.q_length + kStatisticsRows - 1) / kStatisticsRows;
  const int head = index % p.heads;  // rows of all heads lie beside each other
  const int batch = index / p.heads / parts;
  const int column = static_cast<int>(threadIdx.x) % kStatisticsLanes * 8;
  const int first = index / p.heads % parts * kStatisticsRows + static_cast<int>(threadIdx.x) / kStatisticsLanes;
  const u16* out = p.out + batch * p.out_batch_stride + head * p.out_head_stride + column;
  const u16* d_out = p.d_out + batch * p.d_out_batch_stride + head * p.d_out_head_stride + column;
  float means[kStatisticsSteps];  // all rows are read before one is written
#pragma unroll
  for (int step = 0; step < kStatisticsSteps; ++step) {
    const i64 q_index = first + step * (kRowKernelThreads / kStatisticsLanes);
    means[step] = q_index < p.q_length && column < kHeadDimV
                      ? product_of_chunks(*reinterpret_cast<const uint4*>(out + q_index * p.out_row_stride),
                                          *reinterpret_cast<const uint4*>(d_out + q_index * p.d_out_row_stride))
                      : 0.0f;
  }
#pragma unroll
  for (int step = 0; step < kStatisticsSteps; ++step) {
    const int q_index = first + step * (kRowKernelThreads / kStatisticsLanes);
#pragma unroll
    for (int distance = kStatisticsLanes / 2; distance > 0; distance /= 2)
      means[step] += __shfl_xor_sync(0xffffffffu, means[step], distance);
    if (q_index < p.q_length && column == 0)
      *StoredStatistics::of_row(p, batch, head, q_index) = {log_sum_exp_of(p, batch, head, q_index), means[step]};
  }
  clear_sums(p);
}
