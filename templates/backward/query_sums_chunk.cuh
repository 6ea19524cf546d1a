#pragma once

#include "backward/query_sums.cuh"

// Eight columns of a row of sums, for each thread of the four that have them in pieces, with those of a second row and
// of the columns behind.
template <int Columns>
struct QuerySumsChunk {
  using Sums = QuerySums<Columns>;
  static constexpr int kPairs = (Sums::kBlocks + 1) / 2;

  int row, column;  // of the tile
  float sums[8];

  // Of a pair of blocks, by one of kShareThreads.
  __device__ __forceinline__ QuerySumsChunk(const float* tile, int pair, int thread) {
    const float* block = tile + 2 * pair * Sums::kBlockSize;
    const float4 first = SumsOfThread::load(block, thread);
    const float4 second =
        2 * pair + 1 < Sums::kBlocks ? SumsOfThread::load(block + Sums::kBlockSize, thread) : float4{};
    const float pieces[4][2] = {{first.x, first.y}, {first.z, first.w}, {second.x, second.y}, {second.z, second.w}};
    transpose(pieces, thread % 4);
    row = thread / 32 * 16 + thread % 2 * 8 + thread % 32 / 4;
    column = (2 * pair + thread % 4 / 2) * 8;
  }

 private:
  // Each of four lanes has a piece of four chunks, and shall have those of one.
  __device__ __forceinline__ void transpose(const float (&pieces)[4][2], int lane) {
    const bool odd = lane % 2 == 1;
    const bool late = lane / 2 == 1;
    float of_two[2][2][2];  // of the lanes of two, of the chunks that this one and the one two lanes off shall have
#pragma unroll
    for (int e = 0; e < 2; ++e)
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        const float kept = pieces[2 * i + (odd ? 1 : 0)][e];
        const float other = __shfl_xor_sync(0xffffffffu, pieces[2 * i + (odd ? 0 : 1)][e], 1);
        of_two[i][0][e] = odd ? other : kept;
        of_two[i][1][e] = odd ? kept : other;
      }
#pragma unroll
    for (int e = 0; e < 2; ++e)
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        const float kept = late ? of_two[1][i][e] : of_two[0][i][e];
        const float other = __shfl_xor_sync(0xffffffffu, late ? of_two[0][i][e] : of_two[1][i][e], 2);
        sums[2 * i + e] = late ? other : kept;
        sums[4 + 2 * i + e] = late ? kept : other;
      }
  }
};
