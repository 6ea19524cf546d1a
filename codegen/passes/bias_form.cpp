#include "codegen/passes/bias_form.hpp"

#include "codegen/rewrite.hpp"

namespace flashbias::codegen {

BiasForm::BiasForm(const AttentionConfig& of)
    : config(of),
      // A log-sum-exp is in f32 whatever the output is.
      error_budget(score_error_budget(of.log_sum_exp ? DType::f16 : of.dtype)),
      addends{{.expr = of.bias}} {}

bool BiasForm::is_causal() const { return config.causal || codegen::is_causal(program.visible); }

std::vector<BiasPart> parts(const BiasForm& form) {
  std::vector<BiasPart> parts;
  const auto add = [&](std::string_view place, const Expr& expression) {
    if (!is_zero(expression)) parts.push_back({place, expression});
  };
  const BiasProgram& program = form.program;
  for (const Addend& addend : form.addends) add("addend", addend.value());
  // A place is a sum, then the program's expression, then what hoisting has left of that.
  const auto latest = [](const Expr& hoisted, const Expr& expression, const CanonicalSum& sum) {
    if (!is_zero(hoisted)) return hoisted;
    return is_zero(expression) ? sum.total() : expression;
  };
  const HoistedScore& hoisted = program.hoisted;
  add("query row", latest(0.0, program.row_offset, form.row_offset));
  if (const Expr slope = latest(0.0, program.kv_slope, form.kv_slope); !is_zero(slope))
    add("key column", slope * (bias::kv_index() - kv_origin()));
  add("key column", latest(hoisted.key_column, program.key_column, form.key_column));
  add("diagonal", latest(hoisted.diagonal, program.diagonal, form.diagonal));
  add("score", latest(hoisted.score, program.score, form.score));
  for (const FactorTerm& factors : program.factors)
    add("supplied factors", dot(bias::query_input(factors.q_input, factors.rank, factors.dtype),
                                bias::key_input(factors.k_input, factors.rank, factors.dtype)));
  add("products", form.products.total());
  if (program.split_factors)
    for (const auto& [query, key] : program.split_factors->factors) add("factors", query * key);
  return parts;
}

}  // namespace flashbias::codegen
