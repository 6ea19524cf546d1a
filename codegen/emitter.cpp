#include <fmt/format.h>

#include <string>

#include "codegen/backward_emitter.hpp"
#include "codegen/bias_emitter.hpp"
#include "codegen/bias_program.hpp"
#include "codegen/cuda_types.hpp"
#include "codegen/inliner.hpp"
#include "codegen/main_loop.hpp"
#include "codegen/shared_layout.hpp"
#include "codegen/source_parts.hpp"
#include "codegen/wgmma_emitter.hpp"
#include "flashbias/error.hpp"
#include "flashbias/source.hpp"

namespace flashbias {
namespace {

using codegen::include_line;

/// The explanation as a comment at the top of the file.
std::string header(const KernelPlan& plan) {
  std::string comment;
  std::string text = explain(plan);
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    comment += text.substr(0, end).empty() ? "//\n" : "// " + text.substr(0, end) + "\n";
    text = end == std::string::npos ? "" : text.substr(end + 1);
  }
  return comment + "\n";
}

std::string shared_bytes_assertion(const KernelPlan& plan) {
  return fmt::format("\nstatic_assert(sizeof(SharedStorage) == {}, \"the launcher counts on it\");\n",
                     plan.shared_bytes);
}

bool is_hopper(const KernelPlan& plan) { return plan.main_loop == MainLoop::hopper; }

/// The struct that codegen/parameters.hpp describes.
std::string parameters(const KernelPlan& plan) {
  std::string text = "struct Parameters {\n";
  if (is_hopper(plan)) text += "TensorMap q_map, k_map, v_map;\n";
  for (std::size_t i = 0; i < plan.fetched_factors.size(); ++i)
    text += fmt::format("TensorMap factors{0}_q_map, factors{0}_k_map;\n", i);
  for (std::size_t i = 0; i < plan.fetched_pairs.size(); ++i) text += fmt::format("TensorMap pairs{}_map;\n", i);
  for (const char* name : {"q", "k", "v", "out"})
    text += codegen::operand_parameter(name, std::string_view(name) == "out");
  if (plan.config.log_sum_exp) text += "float* log_sum_exp;\ni64 log_sum_exp_batch_stride, log_sum_exp_head_stride;\n";
  for (const InputSpec& input : plan.inputs)
    text += fmt::format("Input<{}> {}_input;\n", codegen::cuda_element_type(input.dtype), input.name);
  text +=
      "int heads, heads_per_kv_head;\nint q_length, kv_length;\nint q_tiles;\nfloat softmax_scale, "
      "inverse_softmax_scale;\n";
  if (is_hopper(plan)) text += "int work_items;\n";
  return text + "};\n";
}

std::string constants(const KernelPlan& plan) {
  std::string text(codegen::kNumberTypes);
  text += codegen::size_constants(plan);
  if (is_hopper(plan))
    text += codegen::hopper_constants(plan, codegen::registers_of_roles(plan.tile));
  else
    text += fmt::format("constexpr int kBlocksPerMultiprocessor = {};\n\n", plan.tile.blocks_per_multiprocessor);
  if (!plan.inputs.empty()) text += include_line("input.cuh") + "\n";
  return text + parameters(plan);
}

std::string part_type(const codegen::BiasProgram& program) {
  if (!program.split_factors) return "";
  const bool is_f16 = program.split_factors->part == DType::f16;
  const std::string_view number = is_f16 ? "f16" : "bf16";
  return include_line(fmt::format("{}.cuh", number)) + include_line(fmt::format("input_{}.cuh", number)) +
         fmt::format("\nusing Part = {};\nusing PartNumber = {};\n", is_f16 ? "F16" : "Bf16", number);
}

std::string_view ones_header(int head_dim_v) {
  switch (codegen::place_of_ones(head_dim_v)) {
    case codegen::PlaceOfOnes::behind_values:
      return "hopper/ones_behind_values.cuh";
    case codegen::PlaceOfOnes::behind_last_strip:
      return "hopper/ones_behind_last_strip.cuh";
    case codegen::PlaceOfOnes::apart:
      break;
  }
  return "hopper/ones_apart.cuh";
}

codegen::Choices choices(const KernelPlan& plan) {
  const AttentionConfig& config = plan.config;
  const codegen::BiasProgram& program = *plan.program;
  const char* query_rows = plan.tile.query_in_registers ? "RegisterRows" : "SharedRows";
  codegen::Choices choices = codegen::common_choices(plan, program.visible);
  choices.merge(codegen::Choices{
      {"config.cuh", constants(plan)},
      {"part.cuh", part_type(program)},
      {"query_rows.cuh", include_line(plan.tile.query_in_registers ? "register_rows.cuh" : "shared_rows.cuh") +
                             fmt::format("\nusing QueryRows = {}<kHeadDim>;\n", query_rows)},
      {"main_loop_hooks.cuh", is_hopper(plan)
                                  ? include_line("hopper/hooks.cuh") + "\nusing MainLoopHooks = HopperHooks;\n"
                                  : include_line("portable_hooks.cuh") + "\nusing MainLoopHooks = PortableHooks;\n"},
      {"publishers.cuh", include_line(is_hopper(plan) ? "hopper/publishers.cuh" : "publishers_all.cuh")},
      {"hopper/products.cuh", is_hopper(plan) ? codegen::emit_products(plan) : ""},
      {"hopper/ones.cuh", include_line(ones_header(config.head_dim_v))},
      {"hopper/query_storage.cuh", include_line(plan.tile.output_over_queries ? "hopper/output_over_queries.cuh"
                                                                              : "hopper/output_beside_queries.cuh")},
      {"hopper/schedule.cuh",
       include_line(plan.tile.pairs_blocks ? "hopper/longest_with_shortest.cuh" : "hopper/in_order.cuh")},
      {"row_statistics.cuh", include_line(config.log_sum_exp ? "row_log_sum_exp.cuh" : "row_none.cuh")},
      {"bias.cuh", codegen::emit_bias(plan, program)},
  });
  return choices;
}

}  // namespace

KernelSource emit(const KernelPlan& plan) {
  if (!plan.program && !plan.backward_program)
    throw Error(ErrorCode::invalid_argument, "emit: the plan has no program; make plans with flashbias::plan(config)");
  if (plan.config.direction == Direction::backward)
    return {header(plan) + codegen::emit_backward(plan) + shared_bytes_assertion(plan)};
  const char* main_loop = is_hopper(plan) ? "hopper/forward.cuh" : "forward.cuh";
  std::string text = header(plan) + codegen::inline_templates(main_loop, choices(plan));
  return {text + shared_bytes_assertion(plan)};
}

}  // namespace flashbias
