#include "codegen/bias_program.hpp"

#include <algorithm>

#include "codegen/inputs.hpp"
#include "codegen/passes/passes.hpp"
#include "codegen/rewrite.hpp"

namespace flashbias::codegen {
namespace {

bool surely_finite(const Expr& expr) {
  return !any_node(expr, [](const ExprNode& node) {
    switch (node.op) {
      case Op::real_literal:
        return !(node.real - node.real == 0);
      case Op::boolean_literal:
      case Op::integer_literal:
      case Op::q_index:
      case Op::kv_index:
      case Op::q_length:
      case Op::kv_length:
      case Op::head:
      case Op::batch:
      case Op::negate:
      case Op::add:
      case Op::subtract:
      case Op::multiply:
      case Op::minimum:
      case Op::maximum:
      case Op::absolute:
      case Op::to_real:
      case Op::named:
        return false;
      default:
        return true;
    }
  });
}

}  // namespace

int BiasProgram::factor_steps() const {
  int steps = split_factors ? split_factors->steps() : 0;
  for (const FactorTerm& each : factors) steps += each.steps();
  return steps;
}
bool BiasProgram::has_kv_slope() const { return !is_zero(kv_slope); }
bool BiasProgram::has_key_column() const { return !is_zero(key_column); }
bool BiasProgram::has_diagonal() const { return !is_zero(diagonal); }
bool BiasProgram::has_score() const { return !is_zero(score); }
bool BiasProgram::needs_row_offset(const AttentionConfig& config) const {
  return !is_zero(row_offset) && (config.log_sum_exp || !surely_finite(row_offset));
}

BiasProgram lower_bias(const AttentionConfig& config) {
  return run_passes(config, [](const Pass&, const BiasForm&) {});
}

std::vector<InputSpec> pair_inputs(const AttentionConfig& config, const BiasProgram& program) {
  std::vector<InputSpec> inputs = collect_inputs(config.bias, config.dtype);
  std::erase_if(inputs, [&](const InputSpec& input) {
    return input.kind != Op::pair_input || !any_node(program.score, [&](const ExprNode& node) {
             return node.op == Op::pair_input && node.name == input.name;
           });
  });
  std::ranges::sort(inputs, {}, &InputSpec::name);  // however the bias was written
  return inputs;
}

Expr kv_origin() { return computed_value("kv_origin", bias::kv_index()); }

}  // namespace flashbias::codegen
