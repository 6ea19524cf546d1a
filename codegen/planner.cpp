#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "codegen/backward_planner.hpp"
#include "codegen/bias_program.hpp"
#include "codegen/inputs.hpp"
#include "codegen/main_loop.hpp"
#include "codegen/ranges.hpp"
#include "codegen/shared_layout.hpp"
#include "flashbias/error.hpp"
#include "flashbias/plan.hpp"

namespace flashbias {

namespace {

/// Starting sums anew every few thousand keys (templates/long_sums.cuh) pushes a few addresses out of the registers of
/// some kernels; they are read back once a tile.
constexpr int kSpillsOfLongSums = 64;

void require_main_loop(const KernelPlan& plan) {
  if (!plan.config.main_loop || *plan.config.main_loop == plan.main_loop) return;
  throw Error(ErrorCode::invalid_config,
              fmt::format("main_loop is {}, but this config takes the {} one ({}); leave it out",
                          to_string(*plan.config.main_loop), to_string(plan.main_loop), plan.main_loop_reason));
}

}  // namespace

KernelPlan plan(const AttentionConfig& config) {
  KernelPlan plan;
  plan.config = config;
  AttentionConfig& resolved = plan.config;
  if (resolved.head_dim_v == 0) resolved.head_dim_v = resolved.head_dim;
  validate(resolved);
  if (resolved.arch.is_current_device())
    throw Error(ErrorCode::invalid_config,
                "arch: a plan is made for a real architecture, such as sm_90a, not for \"current\"");
  plan.inputs = codegen::collect_inputs(resolved.bias, resolved.dtype);
  std::ranges::sort(plan.inputs, {}, &InputSpec::name);  // however the bias was written
  plan.max_q_length = codegen::tokens_in_range(resolved.bias, Op::q_index);
  plan.max_kv_length = codegen::tokens_in_range(resolved.bias, Op::kv_index);
  if (resolved.direction == Direction::backward) {
    codegen::plan_backward(plan);
    require_main_loop(plan);
    return plan;
  }
  plan.program = std::make_shared<const codegen::BiasProgram>(codegen::lower_bias(resolved));
  const codegen::BiasProgram& program = *plan.program;
  plan.terms = program.terms;
  if (program.split_factors && program.split_factors->part == DType::f16) plan.softmax_scale = {0x1p-11, 0x1p3};
  codegen::MainLoopChoice choice = codegen::choose_main_loop(resolved, program);
  plan.main_loop = choice.main_loop;
  plan.main_loop_reason = std::move(choice.reason);
  require_main_loop(plan);
  plan.tile = std::move(choice.tile);
  plan.tile.allowed_spill_bytes += kSpillsOfLongSums;
  if (plan.main_loop == MainLoop::hopper)
    for (const codegen::FactorTerm& factors : program.factors)
      plan.fetched_factors.push_back({factors.q_input, factors.k_input, factors.rank});
  if (plan.tile.pair_tiles)
    for (const InputSpec& input : codegen::pair_inputs(resolved, program)) plan.fetched_pairs.push_back(input.name);
  plan.shared_bytes = plan.main_loop == MainLoop::hopper ? codegen::hopper_shared_bytes(resolved, plan.tile, program)
                                                         : codegen::shared_bytes(resolved, plan.tile, program);
  return plan;
}

}  // namespace flashbias
