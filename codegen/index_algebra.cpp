#include "codegen/index_algebra.hpp"

#include <algorithm>
#include <cmath>

#include "codegen/linear_sum.hpp"
#include "codegen/rewrite.hpp"

namespace flashbias::codegen {
namespace {

/// Integers are of 32 bits in kernels.
constexpr Interval kAnyInteger{-(std::int64_t{1} << 31), std::int64_t{1} << 31};

std::int64_t* coefficient_of(Op leaf, LinearForm& form) {
  switch (leaf) {
    case Op::q_index:
      return &form.q;
    case Op::kv_index:
      return &form.kv;
    case Op::q_length:
      return &form.q_length;
    case Op::kv_length:
      return &form.kv_length;
    case Op::head:
      return &form.head;
    case Op::batch:
      return &form.batch;
    default:
      return nullptr;
  }
}

std::optional<Expr> sum_of_slopes(const std::optional<Expr>& a, const std::optional<Expr>& b, bool subtract) {
  if (!a || !b) return std::nullopt;
  return subtract ? *a - *b : *a + *b;
}

std::optional<Interval> combine_intervals(const Expr& expr, const Interval& a, const Interval& b) {
  switch (expr.op()) {
    case Op::add:
      return Interval{a.low + b.low, a.high + b.high};
    case Op::subtract:
      return Interval{a.low - b.high, a.high - b.low};
    case Op::multiply: {
      const std::array products{a.low * b.low, a.low * b.high, a.high * b.low, a.high * b.high};
      return Interval{*std::ranges::min_element(products), *std::ranges::max_element(products)};
    }
    case Op::divide:
      if (a.low < 0 || b.low <= 0) return std::nullopt;
      return Interval{a.low / b.high, a.high / b.low};
    case Op::remainder:
      if (a.low < 0 || b.low <= 0) return std::nullopt;
      return Interval{0, std::min(a.high, b.high - 1)};
    case Op::minimum:
      return Interval{std::min(a.low, b.low), std::min(a.high, b.high)};
    case Op::maximum:
      return Interval{std::max(a.low, b.low), std::max(a.high, b.high)};
    default:
      return std::nullopt;
  }
}

/// Integers in the range that an input or index is declared to have.
std::optional<Interval> declared(const Expr& expr) {
  const auto& range = expr.node().range;
  if (!range) return std::nullopt;
  return Interval{static_cast<std::int64_t>(std::ceil(std::max(range->low, -0x1p40))),
                  static_cast<std::int64_t>(std::floor(std::min(range->high, 0x1p40)))};
}

std::optional<Interval> unchecked_interval(const Expr& expr);

Interval interval_or_any(const Expr& expr) {
  const bool is_bound = expr.op() == Op::minimum || expr.op() == Op::maximum;
  return (is_bound ? unchecked_interval(expr) : interval(expr)).value_or(kAnyInteger);
}

std::optional<Interval> unchecked_interval(const Expr& expr) {
  switch (expr.op()) {
    case Op::integer_literal:
      return Interval{expr.node().integer, expr.node().integer};
    case Op::q_index:
    case Op::kv_index:
      return declared(expr).value_or(Interval{0, kIndexLimit - 1});
    case Op::head_scalar:
    case Op::query_input:
    case Op::key_input:
    case Op::pair_input:
      return declared(expr);
    case Op::component:
      return declared(expr.arg(0));
    case Op::q_length:
    case Op::kv_length:
      return Interval{0, kIndexLimit};
    case Op::named:
      return interval(expr.arg(0));
    case Op::negate:
      if (const auto a = interval(expr.arg(0))) return Interval{-a->high, -a->low};
      return std::nullopt;
    case Op::absolute:
      if (const auto a = interval(expr.arg(0)))
        return Interval{std::max<std::int64_t>({0, a->low, -a->high}), std::max(-a->low, a->high)};
      return std::nullopt;
    case Op::select: {
      const auto a = interval(expr.arg(1));
      const auto b = interval(expr.arg(2));
      if (a && b) return Interval{std::min(a->low, b->low), std::max(a->high, b->high)};
      return std::nullopt;
    }
    case Op::add:
    case Op::subtract:
    case Op::multiply:
    case Op::divide:
    case Op::remainder: {
      const auto a = interval(expr.arg(0));
      const auto b = interval(expr.arg(1));
      if (a && b) return combine_intervals(expr, *a, *b);
      return std::nullopt;
    }
    case Op::minimum:
    case Op::maximum:  // which bound what is unbounded itself
      return combine_intervals(expr, interval_or_any(expr.arg(0)), interval_or_any(expr.arg(1)));
    default:
      return std::nullopt;
  }
}

Monotonicity opposite(Monotonicity direction) {
  switch (direction) {
    case Monotonicity::rising:
      return Monotonicity::falling;
    case Monotonicity::falling:
      return Monotonicity::rising;
    default:
      return direction;
  }
}

/// Of a sum, a minimum or a maximum.
Monotonicity together(Monotonicity a, Monotonicity b) {
  if (a == Monotonicity::constant) return b;
  return b == Monotonicity::constant || a == b ? a : Monotonicity::mixed;
}

}  // namespace

std::optional<LinearForm> linear_form(const Expr& expr) {
  const auto sum = linear_sum(expr);
  if (!sum) return std::nullopt;
  LinearForm form{.constant = sum->constant};
  for (const LinearSum::Term& term : sum->terms) {
    std::int64_t* coefficient = coefficient_of(term.atom.op(), form);
    if (coefficient == nullptr) return std::nullopt;
    *coefficient += term.coefficient;  // of two atoms where they differ in their declared range
  }
  return form;
}

Sign sign_under_causal_mask(const Expr& expr) {
  const auto form = linear_form(expr);
  if (!form || form->head != 0 || form->batch != 0) return Sign::unknown;
  // d (q_index + Nk - Nq - kv_index) + constant, where the parenthesis is at least 0 at a visible score.
  const std::int64_t d = form->q;
  if (form->kv != -d || form->kv_length != d || form->q_length != -d) return Sign::unknown;
  if (d >= 0 && form->constant >= 0) return Sign::non_negative;
  if (d <= 0 && form->constant <= 0) return Sign::non_positive;
  return Sign::unknown;
}

namespace {

/// How an expression that is linear in the indices changes with them.
struct IndexSteps {
  std::int64_t q = 0;
  std::int64_t kv = 0;
};

/// Of an integer, or of a sum of integers that have become reals.
std::optional<IndexSteps> index_steps(const Expr& expr) {
  switch (expr.op()) {
    case Op::to_real:
      return index_steps(expr.arg(0));
    case Op::negate: {
      const auto a = index_steps(expr.arg(0));
      return a ? std::optional(IndexSteps{-a->q, -a->kv}) : std::nullopt;
    }
    case Op::add:
    case Op::subtract: {
      const auto a = index_steps(expr.arg(0));
      const auto b = index_steps(expr.arg(1));
      const std::int64_t sign = expr.op() == Op::add ? 1 : -1;
      return a && b ? std::optional(IndexSteps{a->q + sign * b->q, a->kv + sign * b->kv}) : std::nullopt;
    }
    default: {
      const auto form = linear_form(expr);
      return form ? std::optional(IndexSteps{form->q, form->kv}) : std::nullopt;
    }
  }
}

}  // namespace

bool constant_on_diagonals(const Expr& expr) {
  if (dependence(expr).uniform()) return true;
  if (const auto steps = index_steps(expr)) return steps->q == -steps->kv;
  const bool is_leaf = expr.node().args.empty();  // that varies with the query or the key
  return !is_leaf && std::ranges::all_of(expr.node().args, constant_on_diagonals);
}

std::optional<Expr> kv_slope(const Expr& expr) {
  if (dependence(expr).query_only()) return Expr(0.0);
  switch (expr.op()) {
    case Op::named:
      return kv_slope(expr.arg(0));
    case Op::to_real: {
      const auto form = linear_form(expr.arg(0));
      if (form) return Expr(static_cast<double>(form->kv));
      return std::nullopt;
    }
    case Op::negate: {
      const auto slope = kv_slope(expr.arg(0));
      if (slope) return -*slope;
      return std::nullopt;
    }
    case Op::add:
    case Op::subtract:
      return sum_of_slopes(kv_slope(expr.arg(0)), kv_slope(expr.arg(1)), expr.op() == Op::subtract);
    case Op::multiply:
      for (const int side : {0, 1}) {
        const Expr& factor = expr.arg(static_cast<std::size_t>(side));
        if (!dependence(factor).uniform()) continue;
        const auto slope = kv_slope(expr.arg(static_cast<std::size_t>(1 - side)));
        if (slope) return factor * *slope;
      }
      return std::nullopt;
    case Op::divide:
      if (!dependence(expr.arg(1)).uniform()) return std::nullopt;
      if (const auto slope = kv_slope(expr.arg(0))) return *slope / expr.arg(1);
      return std::nullopt;
    default:
      return std::nullopt;
  }
}

namespace {

// Differences and products of parts, of which those that are absent are the literal 0: the like of `sum`.

Expr difference(const Expr& a, const Expr& b) {
  if (is_zero(b)) return a;
  return is_zero(a) ? -b : a - b;
}

Expr product(const Expr& a, const Expr& factor) { return is_zero(a) ? a : a * factor; }

}  // namespace

std::optional<IntegerSplit> split_query_key(const Expr& expr) {
  const Dependence varies = dependence(expr);
  if (varies.query_only()) return IntegerSplit{expr, Expr(0)};
  if (varies.key_only()) return IntegerSplit{Expr(0), expr};
  switch (expr.op()) {
    case Op::named:
      return split_query_key(expr.arg(0));
    case Op::negate:
      if (const auto a = split_query_key(expr.arg(0)))
        return IntegerSplit{difference(0, a->query), difference(0, a->key)};
      return std::nullopt;
    case Op::add:
    case Op::subtract: {
      const auto a = split_query_key(expr.arg(0));
      const auto b = split_query_key(expr.arg(1));
      if (!a || !b) return std::nullopt;
      if (expr.op() == Op::add) return IntegerSplit{sum(a->query, b->query), sum(a->key, b->key)};
      return IntegerSplit{difference(a->query, b->query), difference(a->key, b->key)};
    }
    case Op::multiply:
      for (const int side : {0, 1}) {
        const Expr& factor = expr.arg(static_cast<std::size_t>(side));
        if (!dependence(factor).uniform()) continue;
        const auto split = split_query_key(expr.arg(static_cast<std::size_t>(1 - side)));
        if (split) return IntegerSplit{product(split->query, factor), product(split->key, factor)};
      }
      return std::nullopt;
    default:
      return std::nullopt;
  }
}

std::optional<Interval> interval(const Expr& expr) {
  if (expr.type() != ValueType{ScalarType::integer, 1}) return std::nullopt;
  const auto bounds = unchecked_interval(expr);
  // Beyond this, products could overflow and 32-bit code would wrap.
  if (!bounds || bounds->low <= kAnyInteger.low || bounds->high >= kAnyInteger.high) return std::nullopt;
  return bounds;
}

bool index_stays_inside(const Expr& table) {
  const auto index = interval(table.arg(0));
  return index && index->low >= 0 && index->high < table.node().integer;
}

Monotonicity monotonicity_along_queries(const Expr& expr) {
  if (dependence(expr).uniform()) return Monotonicity::constant;
  const auto of_arg = [&](std::size_t index) { return monotonicity_along_queries(expr.arg(index)); };
  const auto literal = [&](std::size_t index) {
    return expr.arg(index).op() == Op::integer_literal ? expr.arg(index).node().integer : 0;
  };
  switch (expr.op()) {
    case Op::q_index:
      return Monotonicity::rising;
    case Op::named:
      return of_arg(0);
    case Op::negate:
      return opposite(of_arg(0));
    case Op::add:
    case Op::minimum:
    case Op::maximum:
      return together(of_arg(0), of_arg(1));
    case Op::subtract:
      return together(of_arg(0), opposite(of_arg(1)));
    case Op::multiply:
      if (literal(1) != 0) return literal(1) > 0 ? of_arg(0) : opposite(of_arg(0));
      if (literal(0) != 0) return literal(0) > 0 ? of_arg(1) : opposite(of_arg(1));
      return Monotonicity::mixed;
    case Op::divide:
      return literal(1) > 0 ? of_arg(0) : Monotonicity::mixed;
    default:
      return Monotonicity::mixed;
  }
}

}  // namespace flashbias::codegen
