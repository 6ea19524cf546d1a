#include "codegen/bias_program.hpp"
#include "codegen/inputs.hpp"
#include "codegen/shared_layout.hpp"
#include "codegen/tiles.hpp"
#include "flashbias/error.hpp"
#include "flashbias/plan.hpp"

namespace flashbias {

std::string_view to_string(Lowering lowering) noexcept {
  switch (lowering) {
    case Lowering::dropped:
      return "dropped";
    case Lowering::mask:
      return "mask";
    case Lowering::key_column:
      return "key column";
    case Lowering::diagonal:
      return "diagonal";
    case Lowering::factors:
      return "factors";
    case Lowering::table:
      return "table";
    case Lowering::registers:
      return "registers";
    case Lowering::dense:
      return "dense";
  }
  return "unknown";
}

KernelPlan plan(const AttentionConfig& config) {
  KernelPlan plan;
  plan.config = config;
  AttentionConfig& resolved = plan.config;
  if (resolved.head_dim_v == 0) resolved.head_dim_v = resolved.head_dim;
  validate(resolved);
  if (resolved.arch.is_current_device())
    throw Error(ErrorCode::invalid_config,
                "arch: a plan is made for a real architecture, such as sm_90a, not for \"current\"");
  const codegen::BiasProgram program = codegen::lower_bias(resolved);
  plan.terms = program.terms;
  plan.inputs = codegen::collect_inputs(resolved.bias, resolved.dtype);
  plan.tile = codegen::choose_tile(resolved, program);
  plan.shared_bytes = codegen::shared_bytes(resolved, plan.tile, program);
  return plan;
}

}  // namespace flashbias
