#include "codegen/tidy_arithmetic.hpp"

#include <cmath>
#include <optional>

#include "codegen/rewrite.hpp"

namespace flashbias::codegen {
namespace {

/// A literal times the rest of a product; no rest stands for 1.
struct Scaled {
  double coefficient = 1;
  std::optional<Expr> rest{};
};

bool is_one(const Expr& expr) { return expr.op() == Op::real_literal && expr.node().real == 1; }

/// What a literal may become without changing what the product can express.
bool serves_as_coefficient(double value) { return std::isnormal(value); }

/// The coefficient goes to the leftmost place: `2.0 * w * (x - y)`.
Expr scale(double coefficient, const Expr& rest) {
  if (coefficient == 1) return rest;
  if (is_one(rest)) return {coefficient};
  if (rest.op() == Op::multiply) return scale(coefficient, rest.arg(0)) * rest.arg(1);
  if (rest.op() == Op::divide) return scale(coefficient, rest.arg(0)) / rest.arg(1);
  if (coefficient == -1) return -rest;
  return coefficient * rest;
}

Expr join(const Scaled& scaled) { return scale(scaled.coefficient, scaled.rest.value_or(1.0)); }

bool is_reciprocal(const Expr& expr) { return expr.op() == Op::divide && is_one(expr.arg(0)); }

Expr product_of_rests(const Expr& a, const Expr& b) {
  if (is_reciprocal(b)) return a / b.arg(1);
  if (is_reciprocal(a)) return b / a.arg(1);
  return a * b;
}

std::optional<Expr> product_of_rests(const std::optional<Expr>& a, const std::optional<Expr>& b) {
  if (!a) return b;
  return b ? product_of_rests(*a, *b) : *a;
}

Scaled split(const Expr& expr) {
  Scaled whole{.coefficient = 1, .rest = expr};
  switch (expr.op()) {
    case Op::real_literal:
      return serves_as_coefficient(expr.node().real) ? Scaled{.coefficient = expr.node().real} : whole;
    case Op::negate: {
      Scaled result = split(expr.arg(0));
      result.coefficient = -result.coefficient;
      return result;
    }
    case Op::multiply: {
      const Scaled a = split(expr.arg(0));
      const Scaled b = split(expr.arg(1));
      const double coefficient = a.coefficient * b.coefficient;
      const bool as_written = a.coefficient == 1 && b.coefficient == 1 && a.rest && b.rest;
      if (as_written || !serves_as_coefficient(coefficient)) return whole;
      return {.coefficient = coefficient, .rest = product_of_rests(a.rest, b.rest)};
    }
    case Op::divide: {
      const Scaled a = split(expr.arg(0));
      if (a.coefficient == 1) return whole;
      return {.coefficient = a.coefficient, .rest = a.rest.value_or(1.0) / expr.arg(1)};
    }
    default:
      return whole;
  }
}

bool are_like(const Scaled& a, const Scaled& b) {
  if (!a.rest || !b.rest) return !a.rest && !b.rest;
  return equal(*a.rest, *b.rest);
}

}  // namespace

Expr tidy_negation(const Expr& a) {
  if (is_zero(a)) return a;
  Scaled scaled = split(a);
  scaled.coefficient = -scaled.coefficient;
  return join(scaled);
}

Expr tidy_sum(const Expr& a, const Expr& b) {
  if (is_zero(a)) return b;
  if (is_zero(b)) return a;
  const Scaled first = split(a);
  const Scaled second = split(b);
  if (are_like(first, second)) {
    const double coefficient = first.coefficient + second.coefficient;
    if (coefficient == 0) return 0.0;
    if (serves_as_coefficient(coefficient)) return join({.coefficient = coefficient, .rest = first.rest});
  }
  if (second.coefficient < 0) return a - tidy_negation(b);
  if (first.coefficient < 0) return b - tidy_negation(a);
  return a + b;
}

Expr tidy_product(const Expr& a, const Expr& b) {
  if (is_zero(a) || is_zero(b)) return 0.0;
  const Scaled first = split(a);
  const Scaled second = split(b);
  const double coefficient = first.coefficient * second.coefficient;
  if (!serves_as_coefficient(coefficient)) return a * b;
  return join({.coefficient = coefficient, .rest = product_of_rests(first.rest, second.rest)});
}

Expr tidy_quotient(const Expr& a, const Expr& b) {
  if (is_zero(a)) return 0.0;
  if (is_one(b)) return a;
  const Scaled numerator = split(a);
  const Scaled denominator = split(b);
  const Expr rest = numerator.rest.value_or(1.0);
  if (denominator.coefficient == -1 && denominator.rest) {
    return scale(-numerator.coefficient, rest / *denominator.rest);
  }
  return scale(numerator.coefficient, rest / b);
}

Expr tidy_select(const Expr& condition, const Expr& if_true, const Expr& if_false) {
  if (equal(if_true, if_false)) return if_true;
  return select(condition, if_true, if_false);
}

}  // namespace flashbias::codegen
