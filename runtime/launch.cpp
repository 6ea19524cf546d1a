#include "runtime/launch.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>

#include "codegen/parameters.hpp"
#include "flashbias/error.hpp"
#include "runtime/argument_checks.hpp"
#include "runtime/bias_arguments.hpp"
#include "runtime/parameter_writer.hpp"
#include "runtime/problem_sizes.hpp"

namespace flashbias::runtime {
namespace {

/// As many as fit beside the other parameters.
constexpr std::int64_t kMaxBiasInputs =
    (codegen::kMaxParameterBytes / sizeof(std::uint64_t) - std::size_t{4} * codegen::kTensorWords -
     codegen::kLogSumExpWords - sizeof(codegen::LaunchSizes) / sizeof(std::uint64_t)) /
    codegen::kTensorWords;

void require_log_sum_exp_as_asked(const AttentionConfig& config, const AttentionArguments& arguments,
                                  const ProblemSizes& sizes, int device) {
  if (arguments.log_sum_exp.has_value() != config.log_sum_exp) [[unlikely]] {
    throw Error(ErrorCode::invalid_argument,
                config.log_sum_exp
                    ? "log_sum_exp is missing: the config asks for it (log_sum_exp=true); give an f32 [B, H, Nq] tensor"
                    : "log_sum_exp is given, but the kernel does not write it: set log_sum_exp=true in the config");
  }
  if (!config.log_sum_exp) return;
  require_log_sum_exp(*arguments.log_sum_exp, sizes, device);
  require_elements_apart("log_sum_exp", *arguments.log_sum_exp);
}

void require_arguments(const AttentionConfig& config, const AttentionArguments& arguments, const ProblemSizes& sizes,
                       int device) {
  require_shape("out", arguments.out, "[B, Nq, H, Dv]",
                {sizes.batch, sizes.q_length, sizes.heads, arguments.v.shape[3]});
  require_operand("q", arguments.q, config.dtype, device);
  require_operand("k", arguments.k, config.dtype, device);
  require_operand("v", arguments.v, config.dtype, device);
  require_operand("out", arguments.out, config.dtype, device);
  require_elements_apart("out", arguments.out);
  require_log_sum_exp_as_asked(config, arguments, sizes, device);
}

/// Of the descriptors at the head of the parameters.
std::size_t tensor_map_bytes(const KernelPlan& plan) {
  if (plan.main_loop != MainLoop::hopper) return 0;
  return codegen::kTensorMapBytes *
         (codegen::kTensorMaps + codegen::kTensorMapsOfFactors * plan.fetched_factors.size() +
          plan.fetched_pairs.size());
}

void require_few_inputs(const KernelPlan& plan) {
  constexpr std::size_t kInputBytes = codegen::kTensorWords * sizeof(std::uint64_t);
  require_at_most("the number of bias inputs", std::ssize(plan.inputs),
                  kMaxBiasInputs - static_cast<std::int64_t>(tensor_map_bytes(plan) / kInputBytes));
}

/// Blocks along the query length.
std::int64_t count_q_tiles(const KernelPlan& plan, const ProblemSizes& sizes) {
  require_sizes(plan, sizes);
  const std::int64_t q_tiles = (sizes.q_length + plan.tile.block_q - 1) / plan.tile.block_q;
  require_at_most("B * H * ceil(Nq / block_q)", sizes.batch * sizes.heads * q_tiles, kMaxBlocks);
  return q_tiles;
}

}  // namespace

LaunchPlan prepare_launch(const KernelPlan& plan, const AttentionArguments& arguments, int device) {
  if (plan.config.direction != Direction::forward) [[unlikely]]
    throw Error(ErrorCode::invalid_argument,
                "the kernel computes gradients (direction=backward): use launch_backward, with BackwardArguments");
  const ProblemSizes sizes = problem_sizes(plan.config, arguments.q, arguments.k, arguments.v);
  const std::int64_t q_tiles = count_q_tiles(plan, sizes);
  require_arguments(plan.config, arguments, sizes, device);
  require_few_inputs(plan);

  LaunchPlan launch;
  const std::int64_t items_a_head = plan.tile.pairs_blocks ? (q_tiles + 1) / 2 : q_tiles;
  LaunchStep& step = launch.steps.front();
  step.blocks = static_cast<std::uint32_t>(sizes.batch * sizes.heads * items_a_head);
  step.threads = static_cast<std::uint32_t>(plan.tile.warps * 32) +
                 (plan.main_loop == MainLoop::hopper ? codegen::kProducerThreads : 0);
  step.shared_bytes = static_cast<std::uint32_t>(plan.shared_bytes);

  launch.parameter_bytes = tensor_map_bytes(plan);
  ParameterWriter parameters(launch);
  for (const TensorView* tensor : {&arguments.q, &arguments.k, &arguments.v, &arguments.out})
    parameters.append_operand(*tensor);
  if (arguments.log_sum_exp) {
    parameters.append(arguments.log_sum_exp->data, arguments.log_sum_exp->strides[0],
                      arguments.log_sum_exp->strides[1]);
  }
  append_bias_inputs(parameters, plan, arguments.bias_inputs, sizes, device);
  const float scale = softmax_scale(plan, arguments.softmax_scale);
  parameters.append(codegen::LaunchSizes{.heads = static_cast<std::int32_t>(sizes.heads),
                                         .heads_per_kv_head = static_cast<std::int32_t>(sizes.heads / sizes.kv_heads),
                                         .q_length = static_cast<std::int32_t>(sizes.q_length),
                                         .kv_length = static_cast<std::int32_t>(sizes.kv_length),
                                         .q_tiles = static_cast<std::int32_t>(q_tiles),
                                         .softmax_scale = scale,
                                         .inverse_softmax_scale = 1 / scale,
                                         .work_items = static_cast<std::int32_t>(step.blocks)});
  return launch;
}

}  // namespace flashbias::runtime
