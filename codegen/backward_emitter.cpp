#include "codegen/backward_emitter.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "codegen/backward_bias_emitter.hpp"
#include "codegen/backward_planner.hpp"
#include "codegen/backward_program.hpp"
#include "codegen/column_shares.hpp"
#include "codegen/cuda_types.hpp"
#include "codegen/main_loop.hpp"
#include "codegen/source_parts.hpp"
#include "codegen/wgmma_emitter.hpp"

namespace flashbias::codegen {
namespace {

bool is_hopper(const KernelPlan& plan) { return plan.main_loop == MainLoop::hopper; }

/// As many as there are for those that compute: gradients of two operands fill them.
constexpr RoleRegisters kRegistersOfRoles{.producer = 24, .consumer = 240};

/// What the kernels hand over to each other.
std::string workspace(const KernelPlan& plan) {
  const std::vector<const InputSpec*> inputs = summed_inputs(plan);
  std::string text = "float* workspace;  // see StoredStatistics";
  if (adds_to_queries(plan)) text += ", QuerySums";
  if (has_exact_sums(plan)) text += ", ExactGradient";
  text += "\ni64 sums_begin;  // where sums begin, in floats\n";
  for (const InputSpec* input : inputs) text += fmt::format("i64 {0}_sums, {0}_sums_end;\n", input->name);
  return text + "i64 sums_end;\n";
}

/// The struct that codegen/parameters.hpp describes.
std::string parameters(const KernelPlan& plan) {
  std::string text = "struct Parameters {\n";
  if (is_hopper(plan)) text += "TensorMap q_map, k_map, v_map, d_out_map;\n";
  for (std::size_t i = 0; i < plan.fetched_factors.size(); ++i)
    text += fmt::format("TensorMap factors{0}_q_map, factors{0}_k_map;\n", i);
  for (const char* name : {"q", "k", "v", "out", "d_out"}) text += operand_parameter(name, false);
  for (const char* name : {"d_q", "d_k", "d_v"}) text += operand_parameter(name, true);
  text += "const float* log_sum_exp;\ni64 log_sum_exp_batch_stride, log_sum_exp_head_stride;\n";
  for (const InputSpec& input : plan.inputs)
    text += fmt::format("Input<{}> {}_input;\n", cuda_element_type(input.dtype), input.name);
  for (const InputSpec& input : plan.input_gradients) text += fmt::format("Gradient {}_gradient;\n", input.name);
  text += workspace(plan);
  text +=
      "int heads, heads_per_kv_head;\nint q_length, kv_length;\nint q_tiles, kv_tiles;\n"
      "int query_blocks, key_blocks;  // thread blocks of each pass that owns queries, or keys\nfloat "
      "softmax_scale, inverse_softmax_scale;\nint all_q_tiles;  // of all heads\nint first_block;\n";
  return text + "};\n";
}

std::string choices_of_shares(const KernelPlan& plan) {
  if (!adds_to_queries(plan)) return "";
  std::string text = fmt::format(
      "constexpr int kColumnShares = {};  // of what keys add to queries\n"
      "constexpr int kShareStrip = {};  // where the second of many columns may begin, in columns\n"
      "constexpr bool kAddsFours = {};  // to numbers in global memory, at a time\n",
      column_shares(plan).count, column_shares(plan).strip, plan.config.arch.compute_capability >= 90);
  if (!is_hopper(plan)) return text;
  const KeptInRegisters kept = kept_in_registers(plan);
  return text + fmt::format(
                    "constexpr bool kRowsInRegisters = {};  // keys and values\n"
                    "constexpr bool kGradientsInRegisters = {};  // of scores, for those of keys\n",
                    kept.rows, kept.gradients);
}

std::string constants(const KernelPlan& plan) {
  std::string text(kNumberTypes);
  text += size_constants(plan);
  text += fmt::format(
      "constexpr bool kCausal = {};\n"
      "constexpr int kRowsOwned = {};  // by a thread block\n"
      "constexpr int kRowsOfWarp = {};\n"
      "constexpr int kColumnsAtOnce = {};  // whose scores a warp holds\n",
      plan.config.causal, rows_owned(plan), plan.tile.rows_a_warp, plan.tile.columns_at_once);
  text += choices_of_shares(plan);
  if (is_hopper(plan))
    text += hopper_constants(plan, kRegistersOfRoles);
  else
    text += fmt::format(
        "constexpr int kStages = {};  // tiles of columns under way\nconstexpr int kBlocksPerMultiprocessor = {};\n\n",
        plan.tile.stages, plan.tile.blocks_per_multiprocessor);
  if (!plan.inputs.empty()) text += include_line("input.cuh") + "\n";
  if (!plan.input_gradients.empty()) text += include_line("backward/gradient.cuh") + "\n";
  return text + parameters(plan);
}

std::string pass_type(const BackwardPass& pass) {
  return pass.owns_keys
             ? fmt::format("KeyPass<{}, {}, {}>", pass.writes_operand, pass.writes_values, pass.writes_inputs)
             : fmt::format("QueryPass<{}, {}>", pass.writes_operand, pass.writes_inputs);
}

std::string passes(const KernelPlan& plan) {
  const std::string folder = is_hopper(plan) ? "backward/hopper/" : "backward/";
  const auto owns_keys = [](const BackwardPass& pass) { return pass.owns_keys; };
  std::string text;
  if (std::ranges::any_of(plan.passes, owns_keys)) text += include_line(folder + "key_pass.cuh");
  if (!std::ranges::all_of(plan.passes, owns_keys)) text += include_line(folder + "query_pass.cuh");
  if (is_hopper(plan)) text += include_line(folder + "run_roles.cuh");
  if (adds_to_queries(plan)) text += include_line("backward/query_sums_kernel.cuh");
  if (has_exact_sums(plan)) text += include_line("backward/round_sums_kernel.cuh");
  text +=
      "\n// The kinds of work, one behind the other in the grid.\n"
      "__device__ __forceinline__ void run_pass(const Parameters& p, SharedStorage& shared, int index) {\n";
  for (const BackwardPass& pass : plan.passes) {
    const char* blocks = pass.owns_keys ? "key_blocks" : "query_blocks";
    const std::string run = is_hopper(plan) ? fmt::format("run_roles<{}>(p, shared, index)", pass_type(pass))
                                            : fmt::format("{}(p, shared, index).run()", pass_type(pass));
    text += fmt::format("if (index < p.{}) return {};\n", blocks, run);
    if (&pass != &plan.passes.back()) text += fmt::format("index -= p.{};\n", blocks);
  }
  return text + "}\n";
}

}  // namespace

std::string emit_backward(const KernelPlan& plan) {
  const BackwardProgram& program = *plan.backward_program;
  Choices choices = common_choices(plan, program.visible);
  const bool is_f16 = plan.config.dtype == DType::f16;
  choices["config.cuh"] = constants(plan);
  choices["backward/number.cuh"] = fmt::format(
      "#include \"config.cuh\"\n#include \"input_{0}.cuh\"\n\nusing Number = {0};\n", is_f16 ? "f16" : "bf16");
  const BackwardBias bias(plan.config, program);
  choices["backward/bias.cuh"] = bias.emit();
  if (bias.has_diagonal()) choices["backward/diagonals.cuh"] = include_line("backward/diagonals_of_bias.cuh");
  const bool has_sums = adds_to_queries(plan);
  if (has_exact_sums(plan)) choices["backward/round_sums.cuh"] = bias.emit_round_sums();
  if (has_sums) choices["backward/factor_sums.cuh"] = bias.emit_factor_sums();
  choices[is_hopper(plan) ? "backward/hopper/shares.cuh" : "backward/shares.cuh"] =
      include_line(std::string(is_hopper(plan) ? "backward/hopper/" : "backward/") +
                   (has_sums ? "shares_of_keys.cuh" : "shares_none.cuh"));
  choices["backward/passes.cuh"] = choices["backward/hopper/passes.cuh"] = passes(plan);
  if (!is_hopper(plan)) {
    choices["backward/factors.cuh"] = bias.emit_factors(has_sums);
    return inline_templates("backward/backward.cuh", choices);
  }
  choices["hopper/products.cuh"] = emit_backward_products(plan, program.factors);
  choices["backward/hopper/factors.cuh"] =
      bias.emit_hopper_factors({.keys_add_to_queries = has_sums, .join_operands = joins_factors(plan)});
  choices["backward/hopper/walk_over_queries.cuh"] =
      include_line(has_sums ? "backward/hopper/walk_and_share.cuh" : "backward/hopper/walk.cuh");
  return inline_templates("backward/hopper/backward.cuh", choices);
}

}  // namespace flashbias::codegen
