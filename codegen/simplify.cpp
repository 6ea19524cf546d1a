#include "codegen/simplify.hpp"

#include <algorithm>
#include <optional>

#include "codegen/index_algebra.hpp"
#include "codegen/rewrite.hpp"
#include "codegen/value_analysis.hpp"

namespace flashbias::codegen {
namespace {

bool is_literal(const Expr& expr, double value) {
  return (expr.op() == Op::real_literal && expr.node().real == value) ||
         (expr.op() == Op::integer_literal && static_cast<double>(expr.node().integer) == value);
}

bool is_input_dot(const Expr& expr) {
  const auto is_input = [](const Expr& e) { return e.op() == Op::query_input || e.op() == Op::key_input; };
  return expr.op() == Op::dot && is_input(expr.arg(0)) && is_input(expr.arg(1));
}

/// Products of whole inputs stay as they are: they may become factors.
Expr write_out_vectors(const Expr& expr) {
  return rewrite(expr, [](const Expr& e) -> Expr {
    if (e.op() == Op::component && e.arg(0).op() != Op::query_input && e.arg(0).op() != Op::key_input)
      return component_of(e.arg(0), static_cast<int>(e.node().integer));
    if (e.op() != Op::dot || is_input_dot(e)) return e;
    Expr sum;
    for (int c = 0; c < e.arg(0).type().dims; ++c) {
      const Expr product = component_of(e.arg(0), c) * component_of(e.arg(1), c);
      sum = c == 0 ? product : sum + product;
    }
    return sum;
  });
}

std::optional<Expr> fold_integers(const Expr& e) {
  if (e.type() != ValueType{ScalarType::integer, 1} || e.node().args.size() != 2) return std::nullopt;
  const Expr& a = e.arg(0);
  const Expr& b = e.arg(1);
  if (a.op() != Op::integer_literal || b.op() != Op::integer_literal) return std::nullopt;
  const auto bounds = interval(e);
  if (bounds && bounds->low == bounds->high) return Expr(bounds->low);
  return std::nullopt;
}

Expr fold(const Expr& e) {
  if (const auto folded = fold_integers(e)) return *folded;
  switch (e.op()) {
    case Op::add:
      if (is_literal(e.arg(0), 0)) return e.arg(1);
      if (is_literal(e.arg(1), 0)) return e.arg(0);
      return e;
    case Op::subtract:
      if (is_literal(e.arg(1), 0)) return e.arg(0);
      if (is_literal(e.arg(0), 0)) return -e.arg(1);
      return e;
    case Op::multiply:
      if (is_literal(e.arg(0), 1)) return e.arg(1);
      if (is_literal(e.arg(1), 1)) return e.arg(0);
      return e;
    case Op::negate:
      if (e.arg(0).op() == Op::negate) return e.arg(0).arg(0);
      if (e.arg(0).op() == Op::integer_literal || e.arg(0).op() == Op::real_literal) return -e.arg(0);
      return e;
    case Op::divide:
      return is_literal(e.arg(1), 1) ? e.arg(0) : e;
    case Op::to_real:
      if (e.arg(0).op() == Op::integer_literal) return {static_cast<double>(e.arg(0).node().integer)};
      return e;
    default:
      return e;
  }
}

Expr use_causal_signs(const Expr& e) {
  if (e.op() != Op::absolute) return e;
  switch (sign_under_causal_mask(e.arg(0))) {
    case Sign::non_negative:
      return e.arg(0);
    case Sign::non_positive:
      return -e.arg(0);
    case Sign::unknown:
      return e;
  }
  return e;
}

/// Of operands that f32 holds, an operation in f32 gives what the conversion of its result does: both round it once.
Expr real_of(const Expr& integer) {
  if (dependence(integer).mixed() && std::ranges::all_of(integer.node().args, exact_in_f32)) {
    switch (integer.op()) {
      case Op::add:
        return real_of(integer.arg(0)) + real_of(integer.arg(1));
      case Op::subtract:
        return real_of(integer.arg(0)) - real_of(integer.arg(1));
      case Op::negate:
        return -real_of(integer.arg(0));
      case Op::absolute:
        return abs(real_of(integer.arg(0)));
      case Op::minimum:
        return min(real_of(integer.arg(0)), real_of(integer.arg(1)));
      case Op::maximum:
        return max(real_of(integer.arg(0)), real_of(integer.arg(1)));
      default:
        break;
    }
  }
  return fold(real(integer));
}

}  // namespace

bool exact_in_f32(const Expr& integer) {
  constexpr std::int64_t kExact = std::int64_t{1} << 24;
  if (const auto bounds = interval(integer); bounds && bounds->low >= -kExact && bounds->high <= kExact) return true;
  // Intervals of its parts tell half as much of a difference of positions, such as `q_position() - kv_index()`.
  const auto positions = values_of_index_sum(integer, /*causal=*/false);
  return positions && positions->low >= -static_cast<double>(kExact) && positions->high <= static_cast<double>(kExact);
}

Expr component_of(const Expr& expr, int c) {
  if (expr.type().dims == 1) return expr;
  switch (expr.op()) {
    case Op::query_input:
    case Op::key_input:
      return expr[c];
    case Op::named:
      return component_of(expr.arg(0), c);
    default: {
      ExprNode node = expr.node();
      node.type.dims = 1;
      for (Expr& arg : node.args) arg = component_of(arg, c);
      return make_expr(std::move(node));
    }
  }
}

Expr simplify(const Expr& expr, bool causal) {
  Expr result = write_out_vectors(strip_names(expr));
  result = rewrite(result, fold);
  if (causal) result = rewrite(result, [](const Expr& e) { return fold(use_causal_signs(e)); });
  return rewrite(result, [](const Expr& e) {
    const bool from_integer = e.op() == Op::to_real && e.arg(0).type().scalar == ScalarType::integer;
    return from_integer ? real_of(e.arg(0)) : e;
  });
}

}  // namespace flashbias::codegen
