#pragma once

#include "hopper/tensor_map.cuh"

// A sample of the block that the generator writes in this file's place: what the rest of the templates may rely on, and
// what lets an editor or a compiler read each of them alone.

using i64 = long long;
using u32 = unsigned int;
using u16 = unsigned short;

constexpr int kHeadDim = 64;
constexpr int kHeadDimV = 64;
constexpr int kBlockQ = 64;  // query rows a thread block
constexpr int kBlockK = 64;  // keys a step
constexpr int kWarps = 4;
constexpr int kThreads = 32 * kWarps;  // that compute
constexpr int kBlocksPerMultiprocessor = 2;

// Of the main loop for Hopper alone.
constexpr int kStages = 2;  // tiles of keys under way
constexpr int kProducerRegisters = 40;
constexpr int kConsumerRegisters = 232;

// Of the backward pass alone.
constexpr bool kCausal = false;
constexpr int kColumnsAtOnce = 64;
constexpr int kRowsOwned = 64;  // by a thread block
constexpr int kRowsOfWarp = 16;
constexpr int kColumnShares = 2;
constexpr int kShareStrip = 64;
constexpr bool kAddsFours = true;
constexpr bool kRowsInRegisters = true;
constexpr bool kGradientsInRegisters = true;

struct Parameters {
  TensorMap q_map, k_map, v_map, d_out_map;
  const u16* q;
  i64 q_batch_stride, q_row_stride, q_head_stride;
  const u16* k;
  i64 k_batch_stride, k_row_stride, k_head_stride;
  const u16* v;
  i64 v_batch_stride, v_row_stride, v_head_stride;
  u16* out;
  i64 out_batch_stride, out_row_stride, out_head_stride;
  const u16* d_out;
  i64 d_out_batch_stride, d_out_row_stride, d_out_head_stride;
  u16* d_q;
  i64 d_q_batch_stride, d_q_row_stride, d_q_head_stride;
  u16* d_k;
  i64 d_k_batch_stride, d_k_row_stride, d_k_head_stride;
  u16* d_v;
  i64 d_v_batch_stride, d_v_row_stride, d_v_head_stride;
  float* log_sum_exp;
  i64 log_sum_exp_batch_stride, log_sum_exp_head_stride;
  int heads, heads_per_kv_head;
  int q_length, kv_length;
  int q_tiles;
  float softmax_scale, inverse_softmax_scale;
  int work_items;
  int kv_tiles, query_blocks, key_blocks;
  float* workspace;
  i64 sums_begin, sums_end;
  int all_q_tiles, first_block;
};
