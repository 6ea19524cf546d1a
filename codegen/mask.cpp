#include "codegen/mask.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "codegen/rewrite.hpp"
#include "codegen/visible_keys.hpp"

namespace flashbias::codegen {
namespace {

bool is_minus_infinity(const Expr& expr) {
  return expr.op() == Op::real_literal && expr.node().real == -std::numeric_limits<double>::infinity();
}

/// -select(c, a, b) as a select.
std::optional<Expr> negated_select(const Expr& expr) {
  if (expr.op() != Op::negate || expr.arg(0).op() != Op::select) return std::nullopt;
  const Expr& chosen = expr.arg(0);
  return select(chosen.arg(0), -chosen.arg(1), -chosen.arg(2));
}

class MaskTaker {
 public:
  explicit MaskTaker(bool causal) : keys_(causal) {}

  MaskedBias take(const Expr& bias) {
    if (const auto chosen = negated_select(bias)) return take(*chosen, bias);
    return take(bias, bias);
  }

 private:
  /// `bias`, which is the same as `typed`.
  MaskedBias take(const Expr& bias, const Expr& typed) {
    MaskedBias result{.visible = unknown_keys(), .rest = typed};
    switch (bias.op()) {
      case Op::named:
        result = take(bias.arg(0));
        break;
      case Op::add:
        result = take_sum(bias.arg(0), bias.arg(1));
        break;
      case Op::subtract:
        result = take_sum(bias.arg(0), -bias.arg(1));
        break;
      case Op::select:
        result = take_select(bias);
        break;
      default:
        break;
    }
    if (!result.visible.is_bounded()) return {.visible = unknown_keys(), .rest = typed};
    return result;
  }

  MaskedBias take_sum(const Expr& a, const Expr& b) {
    const MaskedBias left = take(a);
    const MaskedBias right = take(b);
    if (!left.visible.is_bounded()) return {.visible = right.visible, .rest = sum(a, right.rest)};
    KeyRange visible = left.visible;
    if (right.visible.is_bounded() && narrow(visible, right.visible))
      return {.visible = visible, .rest = sum(left.rest, right.rest)};
    return {.visible = left.visible, .rest = sum(left.rest, b)};
  }

  MaskedBias take_select(const Expr& bias) {
    const Expr& condition = bias.arg(0);
    if (is_minus_infinity(bias.arg(2))) return take_from_branch(condition, true, bias.arg(1));
    if (is_minus_infinity(bias.arg(1))) return take_from_branch(condition, false, bias.arg(2));
    const KeyRange of_true = take(bias.arg(1)).visible;
    const KeyRange of_false = take(bias.arg(2)).visible;
    if (!of_true.is_bounded() && !of_false.is_bounded()) return {.visible = unknown_keys(), .rest = bias};
    KeyRange visible = hull(seen_in_branch(condition, true, of_true), seen_in_branch(condition, false, of_false));
    visible.exact = false;
    return {.visible = visible, .rest = bias};
  }

  KeyRange seen_in_branch(const Expr& condition, bool value, const KeyRange& of_branch) {
    KeyRange seen = keys_.where(condition, value);
    static_cast<void>(narrow(seen, of_branch));  // a wider range is still right
    return seen;
  }

  /// Of select(condition == value, branch, -infinity).
  MaskedBias take_from_branch(const Expr& condition, bool value, const Expr& branch) {
    KeyRange visible;
    const auto left = take_conditions(condition, value, visible);
    const MaskedBias inside = take(branch);
    const bool masked = inside.visible.is_bounded();
    const bool both = masked && narrow(visible, inside.visible);
    const Expr& rest = both ? inside.rest : branch;
    if (masked && !both) visible.exact = false;
    if (!left) return {.visible = visible, .rest = rest};
    visible.exact = false;
    return {.visible = visible, .rest = select(*left, rest, -bias::infinity())};
  }

  /// Narrows `visible` to the keys where condition == value, and returns what of that is left to ask inside.
  std::optional<Expr> take_conditions(const Expr& condition, bool value, KeyRange& visible) {
    if (condition.op() == Op::logical_not) return take_conditions(condition.arg(0), !value, visible);
    if (condition.op() == (value ? Op::logical_and : Op::logical_or)) {
      const auto a = take_conditions(condition.arg(0), value, visible);
      const auto b = take_conditions(condition.arg(1), value, visible);
      if (a && b) return *a && *b;
      return a ? a : b;
    }
    const KeyRange seen = keys_.where(condition, value);
    if (narrow(visible, {.first = seen.first, .end = seen.end}) && seen.exact) return std::nullopt;
    return value ? condition : !condition;
  }

  VisibleKeys keys_;
};

bool is_finite(double number) { return number - number == 0; }

/// Whether sign * expr may be +infinity or NaN because of a literal.
bool may_be_positive_infinity(const Expr& expr, bool negative) {
  const auto arg = [&](std::size_t index, bool flip) { return may_be_positive_infinity(expr.arg(index), flip); };
  switch (expr.op()) {
    case Op::real_literal:
      return !is_finite(expr.node().real) && !is_minus_infinity(negative ? -expr : expr);
    case Op::named:
      return arg(0, negative);
    case Op::negate:
      return arg(0, !negative);
    case Op::add:
      return arg(0, negative) || arg(1, negative);
    case Op::subtract:
      return arg(0, negative) || arg(1, !negative);
    case Op::select:
      return arg(1, negative) || arg(2, negative);
    default:
      return any_node(expr, [](const ExprNode& node) { return node.op == Op::real_literal && !is_finite(node.real); });
  }
}

}  // namespace

MaskedBias take_off_mask(const Expr& bias, bool causal) { return MaskTaker(causal).take(bias); }

bool may_cancel_mask(const Expr& bias) { return may_be_positive_infinity(bias, false); }

bool hides_keys(const Expr& addend) {
  return any_node(addend, [](const ExprNode& node) {
    return node.op == Op::select && (is_minus_infinity(node.args[1]) || is_minus_infinity(node.args[2]));
  });
}

}  // namespace flashbias::codegen
