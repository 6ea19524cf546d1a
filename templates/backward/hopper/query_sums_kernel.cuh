#pragma once

#include "backward/hopper/query_sums.cuh"
#include "backward/hopper/row_kernels.cuh"
#include "block.cuh"

// The sums become d_q. A thread has two rows of eight columns, which four threads of a warpgroup had.
extern "C" __global__ void __launch_bounds__(kRowKernelThreads)
    flashbias_backward_query_sums(const __grid_constant__ Parameters p) {
  constexpr int kChunks = QuerySums::kTiles * kBlock / 2;  // of half a tile
  const i64 index = i64{blockIdx.x} * kRowKernelThreads + threadIdx.x;
  const int half_tile = static_cast<int>(index / kChunks);
  const int chunk = static_cast<int>(index % kChunks);
  if (half_tile >= 2 * p.all_q_tiles) return;
  const int n = chunk % QuerySums::kTiles;
  const int lanes = chunk / QuerySums::kTiles;  // as many fours of threads are before these
  const int column = half_tile % 2 * QuerySums::kColumns + n * 8;
  if (column >= kHeadDim) return;
  const float4* from = reinterpret_cast<const float4*>(QuerySums::of_half_tile(p, half_tile / 2, half_tile % 2)) +
                       n * kWarpgroupThreads + lanes * 4;
  u32 rows[2][4];
#pragma unroll
  for (int lane = 0; lane < 4; ++lane) {
    const float4 sums = from[lane];
    rows[0][lane] = Element::pack(sums.x * p.softmax_scale, sums.y * p.softmax_scale);
    rows[1][lane] = Element::pack(sums.z * p.softmax_scale, sums.w * p.softmax_scale);
  }
  const Block block(p, half_tile / 2);
  u16* d_q = p.d_q + block.batch * p.d_q_batch_stride + block.head * p.d_q_head_stride + column;
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const int row = block.q_start + lanes / 8 * 16 + lanes % 8 + 8 * i;
    if (row < block.q_end)
      *reinterpret_cast<uint4*>(d_q + row * p.d_q_row_stride) = {rows[i][0], rows[i][1], rows[i][2], rows[i][3]};
  }
}
