#include "codegen/backward_emitter.hpp"

#include <fmt/format.h>

#include "codegen/backward_bias_emitter.hpp"
#include "codegen/backward_program.hpp"
#include "codegen/cuda_types.hpp"
#include "codegen/source_parts.hpp"

namespace flashbias::codegen {
namespace {

/// The struct that codegen/parameters.hpp describes.
std::string parameters(const KernelPlan& plan) {
  std::string text = "struct Parameters {\n";
  for (const char* name : {"q", "k", "v", "out", "d_out"}) text += operand_parameter(name, false);
  for (const char* name : {"d_q", "d_k", "d_v"}) text += operand_parameter(name, true);
  text += "const float* log_sum_exp;\ni64 log_sum_exp_batch_stride, log_sum_exp_head_stride;\n";
  for (const InputSpec& input : plan.inputs)
    text += fmt::format("Input<{}> {}_input;\n", cuda_element_type(input.dtype), input.name);
  for (const InputSpec& input : plan.input_gradients) text += fmt::format("Gradient {}_gradient;\n", input.name);
  return text +
         "int heads, heads_per_kv_head;\nint q_length, kv_length;\nint q_tiles, kv_tiles;\n"
         "int query_blocks, key_blocks;  // thread blocks of each pass that owns queries, or keys\nfloat "
         "softmax_scale, inverse_softmax_scale;\n};\n";
}

std::string constants(const KernelPlan& plan) {
  std::string text(kNumberTypes);
  text += size_constants(plan);
  text += fmt::format(
      "constexpr int kBlocksPerMultiprocessor = {};\n"
      "constexpr int kColumnsAtOnce = {};  // whose scores a warp holds\n\n",
      plan.tile.blocks_per_multiprocessor, plan.tile.columns_at_once);
  if (!plan.inputs.empty()) text += include_line("input.cuh") + "\n";
  if (!plan.input_gradients.empty()) text += include_line("backward/gradient.cuh") + "\n";
  return text + parameters(plan);
}

std::string passes(const KernelPlan& plan) {
  std::string text =
      "#include \"backward/key_pass.cuh\"\n#include \"backward/query_pass.cuh\"\n\n"
      "// The kinds of work, one behind the other in the grid.\n"
      "__device__ __forceinline__ void run_pass(const Parameters& p, SharedStorage& shared) {\n"
      "int index = static_cast<int>(blockIdx.x);\n";
  for (const BackwardPass& pass : plan.passes) {
    if (pass.owns_keys)
      text += fmt::format(
          "if (index < p.key_blocks) return KeyPass<{}, {}, {}>(p, shared, index).run();\nindex -= p.key_blocks;\n",
          pass.writes_operand, pass.writes_values, pass.writes_inputs);
    else
      text += fmt::format(
          "if (index < p.query_blocks) return QueryPass<{}, {}>(p, shared, index).run();\nindex -= p.query_blocks;\n",
          pass.writes_operand, pass.writes_inputs);
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
  choices["backward/bias.cuh"] = BackwardBias(plan.config, program).emit();
  choices["backward/passes.cuh"] = passes(plan);
  return inline_templates("backward/backward.cuh", choices);
}

}  // namespace flashbias::codegen
