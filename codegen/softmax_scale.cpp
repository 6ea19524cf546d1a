#include "codegen/softmax_scale.hpp"

#include "codegen/rewrite.hpp"

namespace flashbias::codegen {

Expr inverse_softmax_scale() { return computed_value("p.inverse_softmax_scale", Expr(1.0)); }

Expr in_units_of_scale(const Expr& expr) {
  if (is_zero(expr)) return expr;
  if (!dependence(expr).mixed()) return expr * inverse_softmax_scale();
  if (expr.op() == Op::negate) return -in_units_of_scale(expr.arg(0));
  if (expr.op() == Op::multiply) {
    const Expr& a = expr.arg(0);
    const Expr& b = expr.arg(1);
    const bool only_b_is_ahead = dependence(a).mixed() && !dependence(b).mixed();
    return only_b_is_ahead ? a * in_units_of_scale(b) : in_units_of_scale(a) * b;
  }
  return expr * inverse_softmax_scale();
}

}  // namespace flashbias::codegen
