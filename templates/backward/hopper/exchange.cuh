#pragma once

#include "backward/hopper/products.cuh"
#include "hopper/warpgroup.cuh"

// Score gradients of a warpgroup, a row a key, on their way to those who sum them up over keys.
using GradientTile = SwizzledTile<kBlock, kBlock>;

// sums += gradients right, over the rows of a tile.
template <int Columns>
__device__ __forceinline__ void multiply_columns(Accumulator<Columns>& sums, const GradientTile& gradients,
                                                 const SwizzledTile<kBlock, Columns>& right) {
  const unsigned long long a = gradients.descriptor();
  const unsigned long long b = right.descriptor();
#pragma unroll
  for (int row = 0; row < kBlock; row += 16)
    multiply_output(sums, a + GradientTile::column_step(row), b + SwizzledTile<kBlock, Columns>::row_step(row), true);
}

// And sums of factors, which lie behind the columns.
template <int Columns, int Rank>
__device__ __forceinline__ void multiply_columns(Accumulator<Columns>& sums, Accumulator<Rank>& of_factors,
                                                 const GradientTile& gradients,
                                                 const SwizzledTile<kBlock, Columns>& right) {
  const unsigned long long a = gradients.descriptor();
  const unsigned long long b = right.descriptor();
#pragma unroll
  for (int row = 0; row < kBlock; row += 16)
    multiply_output(sums, of_factors, a + GradientTile::column_step(row),
                    b + SwizzledTile<kBlock, Columns>::row_step(row), true);
}

__device__ __forceinline__ void hand_over(GradientTile& tile, const LeftOperand& gradients) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int row = static_cast<int>(threadIdx.x) / 32 % kWarpsOfTile * 16 + lane % 16;
#pragma unroll
  for (int i = 0; i < kColumnsAtOnce / 16; ++i)
    asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(
                     shared_address(tile.bytes + GradientTile::chunk_offset(row, i * 16 + lane / 16 * 8))),
                 "r"(gradients[i][0]), "r"(gradients[i][1]), "r"(gradients[i][2]), "r"(gradients[i][3])
                 : "memory");
}
