#include "codegen/visible_keys.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>

#include "codegen/index_algebra.hpp"
#include "codegen/linear_sum.hpp"
#include "codegen/rewrite.hpp"

namespace flashbias::codegen {
namespace {

/// Numbers beyond this are as good as infinite beside indices, and 32 bits hold the sum of two.
constexpr std::int64_t kReach = std::int64_t{1} << 29;

/// Longer comparisons tell nothing.
constexpr int kMaxNodesCompared = 256;

/// coefficient * (kv_index / divisor) + rest, where the rest does not vary with the key.
struct KeyForm {
  std::int64_t coefficient = 0;
  std::int64_t divisor = 1;
  LinearSum rest;
};

/// Divisor of kv_index: 1 for itself, nothing for what is no quotient of it.
std::optional<std::int64_t> divisor_of_key(const Expr& atom) {
  if (atom.op() == Op::kv_index) return 1;
  if (atom.op() != Op::divide || atom.arg(1).op() != Op::integer_literal || atom.arg(1).node().integer <= 0)
    return std::nullopt;
  const auto dividend = linear_form(atom.arg(0));
  if (dividend && *dividend == LinearForm{.kv = 1}) return atom.arg(1).node().integer;
  return std::nullopt;
}

std::optional<KeyForm> key_form(const LinearSum& sum) {
  KeyForm form{.rest = {.constant = sum.constant}};
  for (const LinearSum::Term& term : sum.terms) {
    if (dependence(term.atom).query_only()) {
      form.rest.terms.push_back(term);
      continue;
    }
    const auto divisor = divisor_of_key(term.atom);
    if (!divisor || form.coefficient != 0) return std::nullopt;
    form.coefficient = term.coefficient;
    form.divisor = *divisor;
  }
  if (form.coefficient == 0) return std::nullopt;
  return form;
}

/// Prints as the expression alone.
Expr saturated(const Expr& expr, std::int64_t limit) {
  return computed_value(to_string(expr), min(max(expr, -limit), limit));
}

/// Keeps the rest of the form within +-2 kReach at no change of the form's sign, or says that it cannot. What has no
/// bounds is saturated where it outweighs all else.
bool bound_rest(KeyForm& form) {
  std::int64_t reach = std::abs(form.coefficient) * (kIndexLimit / form.divisor + 1);
  LinearSum::Term* unbounded = nullptr;
  for (LinearSum::Term& term : form.rest.terms) {
    const std::int64_t coefficient = std::abs(term.coefficient);
    if (reach > kReach / 2 || coefficient > kReach / 2) return false;
    if (const auto bounds = interval(term.atom)) {
      reach += coefficient * std::max(std::abs(bounds->low), std::abs(bounds->high));
    } else if (unbounded == nullptr) {
      unbounded = &term;
    } else {
      return false;
    }
  }
  if (reach > kReach / 2) return false;
  if (unbounded == nullptr) {
    form.rest.constant = std::clamp(form.rest.constant, -kReach, kReach);
    return true;
  }
  if (reach + std::abs(form.rest.constant) > kReach / 2) return false;
  unbounded->atom = saturated(unbounded->atom, kReach / std::abs(unbounded->coefficient));
  return true;
}

/// Keys where form >= 0.
KeyRange where_not_negative(KeyForm form) {
  if (!bound_rest(form)) return unknown_keys();
  const std::int64_t steps = std::abs(form.coefficient);
  // An end is first counted in quotients of kv_index, then in keys.
  const auto keys = [&](const LinearSum& quotient_times_steps) {
    Expr end = to_expr(quotient_times_steps);
    if (steps > 1) end = max(end, 0) / Expr(steps);
    if (form.divisor == 1) return std::optional(end);
    const auto bounds = interval(end);
    const bool fits = bounds && std::max(std::abs(bounds->low), std::abs(bounds->high)) <= kReach / form.divisor;
    return fits ? std::optional(end * Expr(form.divisor)) : std::nullopt;
  };
  KeyRange range;
  if (form.coefficient > 0) {  // steps * quotient >= -rest
    range.first = keys(form.rest * -1 + LinearSum{.constant = steps - 1});
  } else {  // steps * quotient <= rest
    range.end = keys(form.rest + LinearSum{.constant = steps});
  }
  KeyRange bounded;
  return range.is_bounded() && narrow(bounded, range) ? bounded : unknown_keys();
}

KeyRange where_linear_less(const Expr& a, const Expr& b, bool or_equal) {
  const auto left = linear_sum(a);
  const auto right = linear_sum(b);
  if (!left || !right) return unknown_keys();
  auto difference = key_form(*right + *left * -1 + LinearSum{.constant = or_equal ? 0 : -1});
  return difference ? where_not_negative(std::move(*difference)) : unknown_keys();
}

KeyRange where_uniform(const Expr& holds) {
  const KeyRange range{
      .first = select(holds, 0, bias::kv_length()), .end = select(holds, bias::kv_length(), 0), .all_or_none = true};
  KeyRange bounded{.all_or_none = true};
  return narrow(bounded, range) ? bounded : unknown_keys();
}

KeyRange both(const KeyRange& a, const KeyRange& b) {
  KeyRange range = a;
  if (!narrow(range, b)) range.exact = false;
  return range;
}

bool reads_key(const Expr& expr) { return !dependence(expr).query_only(); }

/// The integer that is as good as a number of either type in a comparison with integers: a literal is rounded to the
/// side that changes nothing.
std::optional<Expr> as_integer(const Expr& expr, bool round_up) {
  if (expr.type().scalar == ScalarType::integer) return expr;
  if (expr.op() == Op::to_real && expr.arg(0).type().scalar == ScalarType::integer) return expr.arg(0);
  if (expr.op() != Op::real_literal || !(std::abs(expr.node().real) < static_cast<double>(kReach))) return std::nullopt;
  const double rounded = round_up ? std::ceil(expr.node().real) : std::floor(expr.node().real);
  return Expr(static_cast<std::int64_t>(rounded));
}

}  // namespace

KeyRange VisibleKeys::where(const Expr& condition, bool value) {
  if (dependence(condition).uniform()) return where_uniform(value ? condition : !condition);
  const auto arg = [&](std::size_t index) { return where(condition.arg(index), value); };
  switch (condition.op()) {
    case Op::logical_not:
      return where(condition.arg(0), !value);
    case Op::logical_and:
      return value ? both(arg(0), arg(1)) : hull(arg(0), arg(1));
    case Op::logical_or:
      return value ? hull(arg(0), arg(1)) : both(arg(0), arg(1));
    case Op::less:
    case Op::less_equal: {
      const bool less = condition.op() == Op::less;
      const Expr& a = condition.arg(0);
      const Expr& b = condition.arg(1);
      return value ? where_less(a, b, /*or_equal=*/!less) : where_less(b, a, /*or_equal=*/less);
    }
    case Op::equal:
      if (!value) return unknown_keys();
      return both(where_less(condition.arg(0), condition.arg(1), /*or_equal=*/true),
                  where_less(condition.arg(1), condition.arg(0), /*or_equal=*/true));
    default:
      return unknown_keys();
  }
}

KeyRange VisibleKeys::where_less(const Expr& a, const Expr& b, bool or_equal) {
  const auto left = as_integer(a, or_equal);
  const auto right = as_integer(b, !or_equal);
  if (!left || !right || left->node().nodes + right->node().nodes > kMaxNodesCompared || --comparisons_left_ < 0)
    return unknown_keys();
  if (reads_key(*left)) {
    const auto with = [&](const Expr& instead) { return where_less(instead, *right, or_equal); };
    switch (left->op()) {
      case Op::absolute:
        return with_absolute(left->arg(0), both, with);
      case Op::maximum:
        return both(with(left->arg(0)), with(left->arg(1)));
      case Op::minimum:
        return hull(with(left->arg(0)), with(left->arg(1)));
      default:
        break;
    }
  }
  if (reads_key(*right)) {
    const auto with = [&](const Expr& instead) { return where_less(*left, instead, or_equal); };
    switch (right->op()) {
      case Op::absolute:
        return with_absolute(right->arg(0), hull, with);
      case Op::minimum:
        return both(with(right->arg(0)), with(right->arg(1)));
      case Op::maximum:
        return hull(with(right->arg(0)), with(right->arg(1)));
      default:
        break;
    }
  }
  return where_linear_less(*left, *right, or_equal);
}

/// |number| is the greater of number and -number, of which a causal mask may leave one.
KeyRange VisibleKeys::with_absolute(const Expr& number, Combine combine, const Compare& compare) const {
  switch (causal_ ? sign_under_causal_mask(number) : Sign::unknown) {
    case Sign::non_negative:
      return compare(number);
    case Sign::non_positive:
      return compare(-number);
    case Sign::unknown:
      return combine(compare(number), compare(-number));
  }
  return unknown_keys();
}

}  // namespace flashbias::codegen
