#include "codegen/source_parts.hpp"

#include <fmt/format.h>

#include <set>

#include "codegen/mask_emitter.hpp"

namespace flashbias::codegen {
namespace {

/// A file for each element type among the inputs.
std::string input_types(const KernelPlan& plan) {
  std::set<DType> dtypes;
  for (const InputSpec& input : plan.inputs) dtypes.insert(input.dtype);
  std::string text;
  for (const DType dtype : dtypes) text += include_line(fmt::format("input_{}.cuh", to_string(dtype)));
  return text;
}

}  // namespace

std::string include_line(std::string_view file) { return fmt::format("#include \"{}\"\n", file); }

std::string size_constants(const KernelPlan& plan) {
  const bool is_forward = plan.config.direction == Direction::forward;
  return fmt::format(
      "constexpr int kHeadDim = {};\nconstexpr int kHeadDimV = {};\n"
      "constexpr int kBlockQ = {};  // {}\n"
      "constexpr int kBlockK = {};  // {}\n"
      "constexpr int kWarps = {};\n"
      "constexpr int kThreads = 32 * kWarps;  // that compute\n",
      plan.config.head_dim, plan.config.head_dim_v, plan.tile.block_q,
      is_forward ? "query rows a thread block" : "columns of a tile", plan.tile.block_k,
      is_forward ? "keys a step" : "rows of a tile", plan.tile.warps);
}

std::string hopper_constants(const KernelPlan& plan, const RoleRegisters& registers) {
  return fmt::format(
             "constexpr int kStages = {};  // tiles of {} under way\n"
             "constexpr int kProducerRegisters = {};\n"
             "constexpr int kConsumerRegisters = {};\n\n",
             plan.tile.stages, plan.config.direction == Direction::forward ? "keys" : "columns", registers.producer,
             registers.consumer) +
         include_line("hopper/tensor_map.cuh") + "\n";
}

std::string operand_parameter(std::string_view name, bool is_written) {
  return fmt::format("{0}u16* {1};\ni64 {1}_batch_stride, {1}_row_stride, {1}_head_stride;\n",
                     is_written ? "" : "const ", name);
}

Choices common_choices(const KernelPlan& plan, const KeyRange& visible) {
  const AttentionConfig& config = plan.config;
  return {
      {"input_types.cuh", input_types(plan)},
      {"element.cuh", include_line(config.dtype == DType::f16 ? "element_f16.cuh" : "element_bf16.cuh")},
      {"mask.cuh", include_line(config.causal ? "mask_causal.cuh" : "mask_none.cuh")},
      {"block.cuh", include_line(visible.is_bounded() ? "block_of_key_range.cuh" : "block_of_first_keys.cuh")},
      {"key_range.cuh", emit_key_range(visible)},
  };
}

}  // namespace flashbias::codegen
