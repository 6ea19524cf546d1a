#pragma once

#include "bias.cuh"
#include "block.cuh"
#include "load_tile.cuh"
#include "long_sums.cuh"
#include "mask_scores.cuh"
#include "query_rows.cuh"
#include "row_statistics.cuh"
#include "softmax.cuh"
#include "tile.cuh"
#include "warp_products.cuh"
#include "write_output.cuh"

struct SharedStorage {
  union {
    SharedTile<kBlockQ, kHeadDim> q;
    SharedTile<kBlockQ, kHeadDimV> out;  // once the queries have done their work
  };
  SharedTile<kBlockK, kHeadDim> k;
  SharedTile<kBlockK, kHeadDimV> v;
  Bias::Storage bias;
};

// The work of the block, found again from the grid: what few places need is not kept in registers while the keys pass
// by.
__device__ __forceinline__ Block find_block_again(const Parameters& p) {
  u32 index;
  asm volatile("mov.u32 %0, %%ctaid.x;" : "=r"(index));
  return Block(p, index);
}

// One thread block computes kBlockQ rows of softmax(scale q k^T + bias) v of one head, from the last visible key to the
// first. Copies run behind the arithmetic: the values of a tile arrive during its q k^T, the keys of the next during
// its softmax and p v.
extern "C" __global__ void __launch_bounds__(kThreads, kBlocksPerMultiprocessor)
    flashbias_forward(const __grid_constant__ Parameters p) {
  extern __shared__ __align__(16) unsigned char shared_bytes[];
  SharedStorage& shared = *reinterpret_cast<SharedStorage*>(shared_bytes);
  const Block block(p);
  const u16* q = p.q + block.batch * p.q_batch_stride + block.head * p.q_head_stride + block.q_start * p.q_row_stride;
  const int kv_head = block.head / p.heads_per_kv_head;
  const u16* k = p.k + block.batch * p.k_batch_stride + kv_head * p.k_head_stride;
  const u16* v = p.v + block.batch * p.v_batch_stride + kv_head * p.v_head_stride;

  Bias bias(p, block, shared.bias);
  OnlineSoftmax softmax;
  RowStatistics statistics;
  Output output;
  LongSums::Memory total;
  LongSums long_sums(p.kv_length, total);

  int kv_start = (block.kv_end - 1) / kBlockK * kBlockK;
  if (block.kv_end > block.kv_begin) {
    clear_padding(shared.q);
    clear_padding(shared.k);
    load_tile(shared.q, q, p.q_row_stride, block.q_end - block.q_start);
    bias.load_queries();
    load_tile(shared.k, k + kv_start * p.k_row_stride, p.k_row_stride, p.kv_length - kv_start);
    bias.load_keys(kv_start);
    commit_copies();
    bias.fetch(kv_start);
    bias.publish(0);
    wait_for_copies();
    __syncthreads();
    const QueryRows queries(shared.q);

    for (int stage = 0; kv_start >= block.kv_begin; kv_start -= kBlockK, stage ^= 1) {
      wait_for_copies();
      __syncthreads();
      load_tile(shared.v, v + kv_start * p.v_row_stride, p.v_row_stride, p.kv_length - kv_start);
      commit_copies();
      const int next = kv_start - kBlockK;
      if (next >= block.kv_begin) bias.fetch(next);

      Scores scores;
      clear(scores);
      accumulate_scores<Element>(scores, queries, shared.k);
      bias.accumulate(scores);

      wait_for_copies();
      __syncthreads();
      if (next >= block.kv_begin) {
        load_tile(shared.k, k + next * p.k_row_stride, p.k_row_stride, kBlockK);
        bias.load_keys(next);
        commit_copies();
        bias.publish(stage ^ 1);
      }

      bias.add(scores, kv_start, stage);
      if (block.masks(kv_start)) mask_scores(scores, p, find_block_again(p), kv_start);
      float factor[kRowSlots];
      if (softmax.move_shift(scores, factor, statistics, bias, bias.multiplier(p), kv_start)) {
        output.rescale(factor);
        long_sums.rescale(factor);
      }
      softmax.exponentiate(scores, statistics, bias, bias.multiplier(p), kv_start);
      accumulate_output(output, scores, shared.v);
      if (next >= block.kv_begin) long_sums.after_tile(kv_start, output);
    }
    long_sums.add_to(output);
  }
  const Block finished = find_block_again(p);
  statistics.write(p, finished, bias, softmax.shift);
  __syncthreads();
  gather_output(shared.out, output, bias);
  __syncthreads();
  write_output<kBlockQ, kThreads>(p, finished, shared.out, 0, threadIdx.x);
}
