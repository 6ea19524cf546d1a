#include "codegen/hoisting.hpp"

#include <algorithm>

#include "codegen/index_algebra.hpp"
#include "codegen/rewrite.hpp"

namespace flashbias::codegen {
namespace {

bool is_literal(const Expr& expr) {
  return expr.op() == Op::boolean_literal || expr.op() == Op::integer_literal || expr.op() == Op::real_literal;
}

/// Reading a parameter is as cheap as reading a value kept.
bool is_free(const Expr& expr) {
  return is_literal(expr) || expr.op() == Op::q_length || expr.op() == Op::kv_length || expr.op() == Op::head ||
         expr.op() == Op::batch || equal(expr, inverse_softmax_scale());
}

/// Booleans are cheap to make from their operands, and no 4-byte numbers.
bool can_keep(const Expr& expr) { return expr.type().dims == 1 && expr.type().scalar != ScalarType::boolean; }

Expr keep(std::vector<HoistedValue>& values, const std::string& owner, const Expr& meaning) {
  const auto same = [&](const HoistedValue& value) { return equal(value.meaning, meaning); };
  auto found = std::ranges::find_if(values, same);
  if (found == values.end()) {
    values.push_back({"value" + std::to_string(values.size()), meaning});
    found = values.end() - 1;
  }
  return computed_value(owner + "." + found->name, meaning);
}

Expr hoist_uniform(const Expr& expr, HoistedScore& out) {
  if (is_free(expr)) return expr;
  if (dependence(expr).uniform() && can_keep(expr)) return keep(out.head, "head", expr);
  std::vector<Expr> args;
  for (const Expr& arg : expr.node().args) args.push_back(hoist_uniform(arg, out));
  return with_args(expr, std::move(args));
}

Expr hoist_all(const Expr& expr, HoistedScore& out);

Expr hoist_table(const Expr& expr, HoistedScore& out) {
  if (const auto split = split_query_key(expr.arg(0)))
    return with_args(expr, {hoist_all(split->query, out) + hoist_all(split->key, out)});
  return with_args(expr, {hoist_all(expr.arg(0), out)});
}

Expr hoist_all(const Expr& expr, HoistedScore& out) {
  if (is_free(expr)) return expr;
  const Dependence varies = dependence(expr);
  if (can_keep(expr)) {
    if (varies.uniform()) return keep(out.head, "head", expr);
    if (varies.query_only()) return keep(out.row, "row", expr);
    if (varies.key_only()) return keep(out.key, "key", expr);
  }
  if (expr.op() == Op::table) return hoist_table(expr, out);
  std::vector<Expr> args;
  for (const Expr& arg : expr.node().args) args.push_back(hoist_all(arg, out));
  return with_args(expr, std::move(args));
}

}  // namespace

HoistedScore hoist(const BiasProgram& program) {
  HoistedScore out;
  out.score = hoist_all(program.score, out);
  out.key_column = hoist_uniform(program.key_column, out);
  out.diagonal = hoist_uniform(program.diagonal, out);
  return out;
}

}  // namespace flashbias::codegen
