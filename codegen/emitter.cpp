#include <fmt/format.h>

#include <set>
#include <string>

#include "codegen/bias_emitter.hpp"
#include "codegen/bias_program.hpp"
#include "codegen/cuda_types.hpp"
#include "codegen/inliner.hpp"
#include "codegen/main_loop.hpp"
#include "codegen/mask_emitter.hpp"
#include "codegen/wgmma_emitter.hpp"
#include "flashbias/error.hpp"
#include "flashbias/source.hpp"

namespace flashbias {
namespace {

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

bool is_hopper(const KernelPlan& plan) { return plan.main_loop == MainLoop::hopper; }

std::string include(std::string_view file) { return fmt::format("#include \"{}\"\n", file); }

/// A file for each element type among the inputs.
std::string input_types(const KernelPlan& plan) {
  std::set<DType> dtypes;
  for (const InputSpec& input : plan.inputs) dtypes.insert(input.dtype);
  std::string text;
  for (const DType dtype : dtypes) text += include(fmt::format("input_{}.cuh", to_string(dtype)));
  return text;
}

/// The struct that codegen/parameters.hpp describes.
std::string parameters(const KernelPlan& plan) {
  std::string text = "struct Parameters {\n";
  if (is_hopper(plan)) text += "TensorMap q_map, k_map, v_map;\n";
  for (std::size_t i = 0; i < plan.fetched_factors.size(); ++i)
    text += fmt::format("TensorMap factors{0}_q_map, factors{0}_k_map;\n", i);
  for (const char* name : {"q", "k", "v", "out"})
    text += fmt::format("{0}u16* {1};\ni64 {1}_batch_stride, {1}_row_stride, {1}_head_stride;\n",
                        std::string_view(name) == "out" ? "" : "const ", name);
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
  std::string text = "using i64 = long long;\nusing u32 = unsigned int;\nusing u16 = unsigned short;\n\n";
  text += fmt::format(
      "constexpr int kHeadDim = {};\nconstexpr int kHeadDimV = {};\n"
      "constexpr int kBlockQ = {};  // query rows a thread block\n"
      "constexpr int kBlockK = {};  // keys a step\n"
      "constexpr int kWarps = {};\n",
      plan.config.head_dim, plan.config.head_dim_v, plan.tile.block_q, plan.tile.block_k, plan.tile.warps);
  if (is_hopper(plan)) {
    const auto [producer, consumer] = codegen::registers_of_roles(plan.tile);
    text += fmt::format(
        "constexpr int kStages = {};  // tiles of keys under way\n"
        "constexpr int kProducerRegisters = {};\n"
        "constexpr int kConsumerRegisters = {};\n\n",
        plan.tile.stages, producer, consumer);
    text += include("hopper/tensor_map.cuh") + "\n";
  } else {
    text += fmt::format("constexpr int kBlocksPerMultiprocessor = {};\n\n", plan.tile.blocks_per_multiprocessor);
  }
  if (!plan.inputs.empty()) text += include("input.cuh") + "\n";
  return text + parameters(plan);
}

std::string part_type(const codegen::BiasProgram& program) {
  if (!program.split_factors) return "";
  const bool is_f16 = program.split_factors->part == DType::f16;
  const std::string_view number = is_f16 ? "f16" : "bf16";
  return include(fmt::format("{}.cuh", number)) + include(fmt::format("input_{}.cuh", number)) +
         fmt::format("\nusing Part = {};\nusing PartNumber = {};\n", is_f16 ? "F16" : "Bf16", number);
}

codegen::Choices choices(const KernelPlan& plan) {
  const AttentionConfig& config = plan.config;
  const codegen::BiasProgram& program = *plan.program;
  const char* query_rows = plan.tile.query_in_registers ? "RegisterRows" : "SharedRows";
  return {
      {"config.cuh", constants(plan)},
      {"input_types.cuh", input_types(plan)},
      {"element.cuh", include(config.dtype == DType::f16 ? "element_f16.cuh" : "element_bf16.cuh")},
      {"mask.cuh", include(config.causal ? "mask_causal.cuh" : "mask_none.cuh")},
      {"block.cuh", include(program.visible.is_bounded() ? "block_of_key_range.cuh" : "block_of_first_keys.cuh")},
      {"key_range.cuh", codegen::emit_key_range(program.visible)},
      {"part.cuh", part_type(program)},
      {"query_rows.cuh", include(plan.tile.query_in_registers ? "register_rows.cuh" : "shared_rows.cuh") +
                             fmt::format("\nusing QueryRows = {}<kHeadDim>;\n", query_rows)},
      {"main_loop_hooks.cuh", is_hopper(plan)
                                  ? include("hopper/hooks.cuh") + "\nusing MainLoopHooks = HopperHooks;\n"
                                  : include("portable_hooks.cuh") + "\nusing MainLoopHooks = PortableHooks;\n"},
      {"publishers.cuh", include(is_hopper(plan) ? "hopper/publishers.cuh" : "publishers_all.cuh")},
      {"hopper/products.cuh", is_hopper(plan) ? codegen::emit_products(plan) : ""},
      {"hopper/query_storage.cuh",
       include(plan.tile.output_over_queries ? "hopper/output_over_queries.cuh" : "hopper/output_beside_queries.cuh")},
      {"hopper/schedule.cuh",
       include(plan.tile.pairs_blocks ? "hopper/longest_with_shortest.cuh" : "hopper/in_order.cuh")},
      {"row_statistics.cuh", include(config.log_sum_exp ? "row_log_sum_exp.cuh" : "row_none.cuh")},
      {"bias.cuh", codegen::emit_bias(plan, program)},
  };
}

}  // namespace

KernelSource emit(const KernelPlan& plan) {
  if (!plan.program)
    throw Error(ErrorCode::invalid_argument, "emit: the plan has no program; make plans with flashbias::plan(config)");
  const char* main_loop = is_hopper(plan) ? "hopper/forward.cuh" : "forward.cuh";
  std::string text = header(plan) + codegen::inline_templates(main_loop, choices(plan));
  text +=
      fmt::format("\nstatic_assert(sizeof(SharedStorage) == {}, \"the launcher counts on it\");\n", plan.shared_bytes);
  return {std::move(text)};
}

}  // namespace flashbias
