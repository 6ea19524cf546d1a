#pragma once

#include <cstddef>
#include <cstdint>

/// The kernel's one parameter, a struct that the emitter declares and the launcher fills. Both follow this order:
///
///   q_map, k_map, v_map, then a q_map and a k_map for each of plan.fetched_factors and a map for each of
///   plan.fetched_pairs  128 bytes each, which cuTensorMapEncodeTiled fills; in the main loop for Hopper alone
///   q, k, v, out        {pointer, batch stride, row stride, head stride} each; strides in elements
///   log_sum_exp         {pointer, batch stride, head stride}, only where the config asks for it
///   each plan.inputs    {pointer, batch stride, head stride, row stride}; 0 broadcasts. The row stride is that of the
///                       query or key token, of the query row for a pair input, and 0 for tables and head scalars
///   then, 4 bytes each: heads, heads_per_kv_head, q_length, kv_length, q_tiles (ceil(q_length / block_q)),
///                       softmax_scale, and 1 / softmax_scale for biases that are measured in it; in the main loop
///                       for Hopper also work_items
///
/// The grid is one-dimensional: q_tiles * heads * batch blocks of tile.warps * 32 threads. In the main loop for Hopper
/// the work is shared out among no more blocks than multiprocessors, of 128 threads more: heads * batch times q_tiles
/// work items, or half as many, rounded up, where tile.pairs_blocks.
///
/// Of the backward pass:
///
///   q_map, k_map, v_map, d_out_map       in the main loop for Hopper, then those of plan.fetched_factors
///   q, k, v, out, d_out, d_q, d_k, d_v   as above; null where a gradient is not asked for
///   log_sum_exp                          {pointer, batch stride, head stride}
///   each plan.inputs, then each plan.input_gradients
///   workspace                            a pointer to f32, two for each row of queries, behind these the sums of d_q,
///                                        where a pass adds to it, and those of summed_inputs. Then 8 bytes each: where
///                                        sums begin, where those of each input begin and end, and where all end
///   BackwardSizes
///
/// The grid holds, for each of plan.passes, a thread block for each tile of keys of a key head (`key_blocks`), or for
/// each tile of queries of a head (`query_blocks`); tiles have as many rows as there are for 16 a warp. It is launched
/// once for all blocks of keys and once for all of queries, each time with the number of the first block; before them
/// goes the kernel of statistics, and last, where there are sums, that which makes gradients of them, both of
/// kRowKernelThreads threads a block.
namespace flashbias::codegen {

inline constexpr std::size_t kMaxParameterBytes = 4096;  ///< that a launch may have in every CUDA version

inline constexpr int kTensorWords = 4;     ///< 8-byte words of q, k, v, out and of an input
inline constexpr int kLogSumExpWords = 3;  ///< 8-byte words of log_sum_exp

inline constexpr std::size_t kTensorMapBytes = 128;
inline constexpr std::size_t kTensorMaps = 3;          ///< of q, k and v
inline constexpr std::size_t kBackwardTensorMaps = 4;  ///< and of d_out
inline constexpr std::size_t kTensorMapsOfFactors = 2;
inline constexpr int kProducerThreads = 128;

/// The tail of the parameter struct.
struct alignas(8) LaunchSizes {
  std::int32_t heads = 0;
  std::int32_t heads_per_kv_head = 0;
  std::int32_t q_length = 0;
  std::int32_t kv_length = 0;
  std::int32_t q_tiles = 0;
  float softmax_scale = 0;
  float inverse_softmax_scale = 0;
  std::int32_t work_items = 0;
};

/// The tail of the parameter struct of the backward pass.
struct alignas(8) BackwardSizes {
  std::int32_t heads = 0;
  std::int32_t heads_per_kv_head = 0;
  std::int32_t q_length = 0;
  std::int32_t kv_length = 0;
  std::int32_t q_tiles = 0;
  std::int32_t kv_tiles = 0;
  std::int32_t query_blocks = 0;
  std::int32_t key_blocks = 0;
  float softmax_scale = 0;
  float inverse_softmax_scale = 0;
  std::int32_t all_q_tiles = 0;
  std::int32_t first_block = 0;
};

/// What a backward launch has parameters of, beside those that all have.
struct BackwardParameters {
  std::size_t tensor_maps = 0;
  std::size_t tensors_of_bias = 0;  ///< inputs and gradients
  std::size_t sums_of_inputs = 0;
};

[[nodiscard]] constexpr std::size_t size_in_bytes(const BackwardParameters& parameters) {
  constexpr std::size_t kOperands = 8;  // q to d_v
  constexpr std::size_t kWordsOfWorkspace = 3;
  constexpr std::size_t kWordsOfSum = 2;
  const std::size_t words = kTensorWords * (kOperands + parameters.tensors_of_bias) + kLogSumExpWords +
                            kWordsOfWorkspace + kWordsOfSum * parameters.sums_of_inputs;
  return kTensorMapBytes * parameters.tensor_maps + sizeof(std::uint64_t) * words + sizeof(BackwardSizes);
}

/// Threads of kernels that treat query rows one by one (templates/backward/row_kernels.cuh).
inline constexpr int kRowKernelThreads = 256;

/// Rows that a block finds the statistics of (templates/backward/statistics_kernel.cuh).
[[nodiscard]] constexpr int statistics_rows(int head_dim_v) {
  int lanes = 1;
  while (lanes < head_dim_v / 8) lanes *= 2;
  return kRowKernelThreads / lanes * 8;
}

}  // namespace flashbias::codegen
