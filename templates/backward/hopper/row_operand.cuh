#pragma once

#include "backward/hopper/products.cuh"
#include "backward/hopper/token_tile.cuh"
#include "matrices.cuh"

// A warpgroup's rows are the left operand of all products with columns; where the plan finds room they stay in
// registers.
template <int Depth, bool InRegisters = kRowsInRegisters>
struct RowOperand {
  u32 parts[round_up(Depth, 16) / 16][4];

  __device__ explicit RowOperand(const SwizzledTile<kBlock, Depth>& tile) {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    const int row = static_cast<int>(threadIdx.x) / 32 % kWarpsOfTile * 16 + lane % 16;
#pragma unroll
    for (int depth = 0; depth < Depth; depth += 16)
      load_matrices(parts[depth / 16], shared_address(tile.bytes + tile.chunk_offset(row, depth + lane / 16 * 8)));
  }
};
template <int Depth>
struct RowOperand<Depth, false> {
  const SwizzledTile<kBlock, Depth>& tile;

  __device__ explicit RowOperand(const SwizzledTile<kBlock, Depth>& of) : tile(of) {}
};

// As of a tile of rows.
template <int Depth>
__device__ __forceinline__ void multiply_rows(Scores& scores, const RowOperand<Depth, true>& rows,
                                              const SwizzledTile<kBlock, Depth>& columns, bool accumulate) {
  const unsigned long long b = columns.descriptor();
#pragma unroll
  for (int depth = 0; depth < Depth; depth += 16)
    multiply_scores(scores, rows.parts[depth / 16], b + columns.column_step(depth), accumulate || depth != 0);
}
template <int Depth>
__device__ __forceinline__ void multiply_rows(Scores& scores, const RowOperand<Depth, false>& rows,
                                              const SwizzledTile<kBlock, Depth>& columns, bool accumulate) {
  multiply_rows(scores, rows.tile, columns, accumulate);
}

struct WarpgroupRows {
  const TokenTile& tile;
  RowOperand<kHeadDim> x;
  RowOperand<kHeadDimV> y;

  __device__ explicit WarpgroupRows(const TokenTile& of) : tile(of), x(of.x), y(of.y) {}
};
