#pragma once

#include "bf16.cuh"
#include "input_bf16.cuh"
#include "load_tile.cuh"
#include "scale_scores.cuh"
#include "shared_rows.cuh"
#include "warp_products.cuh"

// A low-rank bias of f32 factors. Three bf16 numbers, each the rounded rest of those before it, hold the 24 bits of
// f32; of the nine products of parts, the three smallest are below what an f32 sum can hold.
template <int Rank>
struct F32FactorTiles {
  static constexpr int kParts = 3;
  SharedTile<kBlockQ, Rank> q[kParts];
  SharedTile<kBlockK, Rank> k[kParts];

  __device__ void load_queries(const float* first_row, i64 row_stride, int valid_rows) {
#pragma unroll
    for (int part = 0; part < kParts; ++part) {
      clear_padding(q[part]);
      clear_padding(k[part]);
    }
    load_parts(q, first_row, row_stride, valid_rows);
  }
  __device__ __forceinline__ void load_keys(const float* first_row, i64 row_stride, int valid_rows) {
    load_parts(k, first_row, row_stride, valid_rows);
  }
  __device__ __forceinline__ void accumulate(Scores& scores) const {
#pragma unroll
    for (int a = 0; a < kParts; ++a)
#pragma unroll
      for (int b = 0; a + b < kParts; ++b) accumulate_scores<Bf16>(scores, SharedRows<Rank>(q[a]), k[b]);
  }

 private:
  template <int Rows>
  static __device__ void load_parts(SharedTile<Rows, Rank> (&parts)[kParts], const float* first_row, i64 row_stride,
                                    int valid_rows) {
#pragma unroll 4
    for (int i = threadIdx.x; i < Rows * Rank; i += kThreads) {
      const int row = i / Rank;
      const int column = i % Rank;
      float rest = row < valid_rows ? first_row[row * row_stride + column] : 0.0f;
#pragma unroll
      for (int part = 0; part < kParts; ++part) {
        const bf16 rounded{static_cast<u16>(Bf16::pack(rest, 0.0f))};
        parts[part].elements[row * SharedTile<Rows, Rank>::kPitch + column] = rounded.bits;
        rest -= value_of(rounded);
      }
    }
  }
};
