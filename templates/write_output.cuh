#pragma once

#include "bias.cuh"
#include "block.cuh"
#include "fragments.cuh"
#include "tile.cuh"

// The output leaves by way of shared memory, so that stores are 16 bytes wide: rows are normalised and gathered there,
__device__ __forceinline__ void gather_output(SharedTile<kBlockQ, kHeadDimV>& tile, const Output& output,
                                              const Bias& bias) {
#pragma unroll
  for (int slot = 0; slot < kRowSlots; ++slot) {
    // A row without keys gives zeros. A query-only term of -infinity masks the row; NaN or +infinity leaves no
    // distribution to speak of.
    const float offset = bias.row_offset(slot);
    const float sum = output.sum(slot);
    const float normalizer = sum == 0.0f || offset == -kInfinity ? 0.0f : 1.0f / sum + (offset - offset);
#pragma unroll
    for (int d = 0; d < kOutputTiles; ++d) {
      const float(&pair)[4] = output.values[slot / 2][d];
      *reinterpret_cast<u32*>(tile.elements + row_of_slot(slot) * tile.kPitch + column_of_tile(d)) =
          Element::pack(pair[slot % 2 * 2] * normalizer, pair[slot % 2 * 2 + 1] * normalizer);
    }
  }
}

// and written by a group of threads that sees them.
template <int Rows, int Threads>
__device__ __forceinline__ void write_output(const Parameters& p, const Block& block,
                                             const SharedTile<kBlockQ, kHeadDimV>& tile, int first_row, int thread) {
  constexpr int kChunks = kHeadDimV / 8;
  u16* out =
      p.out + block.batch * p.out_batch_stride + block.head * p.out_head_stride + block.q_start * p.out_row_stride;
  for (int i = thread; i < Rows * kChunks; i += Threads) {
    const int row = first_row + i / kChunks;
    const int column = i % kChunks * 8;
    if (block.q_start + row < block.q_end)
      *reinterpret_cast<uint4*>(out + row * p.out_row_stride + column) =
          *reinterpret_cast<const uint4*>(tile.elements + row * tile.kPitch + column);
  }
}
