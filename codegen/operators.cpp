#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string_view>

#include "codegen/excerpt.hpp"
#include "flashbias/bias.hpp"
#include "flashbias/error.hpp"

namespace flashbias {
namespace {

constexpr ValueType kBoolean{.scalar = ScalarType::boolean, .dims = 1};

std::string describe(const Expr& expr) {
  return fmt::format("`{}` ({})", codegen::excerpt(to_string(expr)), to_string(expr.type()));
}

[[noreturn]] void reject(std::string_view operation, const Expr& a, std::string_view reason) {
  throw Error(ErrorCode::invalid_config, fmt::format("cannot apply {} to {}: {}", operation, describe(a), reason));
}

[[noreturn]] void reject(std::string_view operation, const Expr& a, const Expr& b, std::string_view reason) {
  throw Error(ErrorCode::invalid_config,
              fmt::format("cannot apply {} to {} and {}: {}", operation, describe(a), describe(b), reason));
}

constexpr std::string_view kBooleanIsNoNumber =
    "a boolean is no number; choose numbers with select(condition, a, b), or convert with real(condition)";

Expr node(Op op, ValueType type, std::vector<Expr> args) {
  return make_expr({.op = op, .type = type, .args = std::move(args)});
}

bool is_boolean(const Expr& expr) { return expr.type().scalar == ScalarType::boolean; }
bool is_integer(const Expr& expr) { return expr.type().scalar == ScalarType::integer; }

/// Two numbers brought to one scalar type, and the type of what an operator makes of them component by component.
struct Numbers {
  Expr a;
  Expr b;
  ValueType type;
};

Numbers match(std::string_view operation, const Expr& a, const Expr& b) {
  if (is_boolean(a) || is_boolean(b)) reject(operation, a, b, kBooleanIsNoNumber);
  const int dims = std::max(a.type().dims, b.type().dims);
  if ((a.type().dims != dims && a.type().dims != 1) || (b.type().dims != dims && b.type().dims != 1)) {
    reject(operation, a, b, "vectors must have the same number of components");
  }
  if (is_integer(a) && is_integer(b)) return {a, b, {ScalarType::integer, dims}};
  return {real(a), real(b), {ScalarType::real, dims}};
}

Expr arithmetic(Op op, std::string_view operation, const Expr& a, const Expr& b) {
  Numbers numbers = match(operation, a, b);
  return node(op, numbers.type, {std::move(numbers.a), std::move(numbers.b)});
}

Expr compare(Op op, std::string_view operation, const Expr& a, const Expr& b) {
  Numbers numbers = match(operation, a, b);
  if (numbers.type.dims != 1) reject(operation, a, b, "comparisons take scalars; compare components, as in x[0]");
  return node(op, kBoolean, {std::move(numbers.a), std::move(numbers.b)});
}

Expr logic(Op op, std::string_view operation, const Expr& a, const Expr& b) {
  if (!is_boolean(a) || !is_boolean(b)) reject(operation, a, b, "both sides must be conditions, such as a < b");
  return node(op, kBoolean, {a, b});
}

Expr real_function(Op op, std::string_view operation, const Expr& a) {
  if (is_boolean(a)) reject(operation, a, kBooleanIsNoNumber);
  return node(op, {ScalarType::real, a.type().dims}, {real(a)});
}

void reject_zero_divisor(std::string_view operation, const Expr& a, const Expr& b) {
  const bool zero =
      (b.op() == Op::integer_literal && b.node().integer == 0) || (b.op() == Op::real_literal && b.node().real == 0);
  if (zero) reject(operation, a, "division by zero; to hide a score, add -infinity");
}

}  // namespace

Expr Expr::operator[](int index) const {
  const int dims = type().dims;
  if (index < 0 || index >= dims) {
    reject(fmt::format("[{}]", index), *this, fmt::format("components are numbered 0 to {}", dims - 1));
  }
  if (dims == 1) return *this;
  return make_expr({.op = Op::component, .type = {type().scalar, 1}, .args = {*this}, .integer = index});
}

Expr operator-(const Expr& a) {
  if (is_boolean(a)) reject("unary -", a, kBooleanIsNoNumber);
  // A negative literal and a negated literal read the same, so they are the same.
  if (a.op() == Op::real_literal) return {-a.node().real};
  const bool negatable = a.node().integer != std::numeric_limits<std::int64_t>::min();
  if (a.op() == Op::integer_literal && negatable) return {-a.node().integer};
  return node(Op::negate, a.type(), {a});
}

Expr operator+(const Expr& a, const Expr& b) { return arithmetic(Op::add, "+", a, b); }
Expr operator-(const Expr& a, const Expr& b) { return arithmetic(Op::subtract, "-", a, b); }
Expr operator*(const Expr& a, const Expr& b) { return arithmetic(Op::multiply, "*", a, b); }

Expr operator/(const Expr& a, const Expr& b) {
  reject_zero_divisor("/", a, b);
  return arithmetic(Op::divide, "/", a, b);
}

Expr operator%(const Expr& a, const Expr& b) {
  if (!is_integer(a) || !is_integer(b)) reject("%", a, b, "the remainder is that of integers");
  reject_zero_divisor("%", a, b);
  return arithmetic(Op::remainder, "%", a, b);
}

Expr operator<(const Expr& a, const Expr& b) { return compare(Op::less, "<", a, b); }
Expr operator<=(const Expr& a, const Expr& b) { return compare(Op::less_equal, "<=", a, b); }
Expr operator>(const Expr& a, const Expr& b) { return b < a; }
Expr operator>=(const Expr& a, const Expr& b) { return b <= a; }
Expr operator==(const Expr& a, const Expr& b) { return compare(Op::equal, "==", a, b); }
Expr operator!=(const Expr& a, const Expr& b) { return !(a == b); }

Expr operator&&(const Expr& a, const Expr& b) { return logic(Op::logical_and, "&&", a, b); }
Expr operator||(const Expr& a, const Expr& b) { return logic(Op::logical_or, "||", a, b); }

Expr operator!(const Expr& a) {
  if (!is_boolean(a)) reject("!", a, "it must be a condition, such as a < b");
  return node(Op::logical_not, kBoolean, {a});
}

Expr min(const Expr& a, const Expr& b) { return arithmetic(Op::minimum, "min", a, b); }
Expr max(const Expr& a, const Expr& b) { return arithmetic(Op::maximum, "max", a, b); }

Expr clamp(const Expr& a, const Expr& low, const Expr& high) { return min(max(a, low), high); }

Expr abs(const Expr& a) {
  if (is_boolean(a)) reject("abs", a, kBooleanIsNoNumber);
  return node(Op::absolute, a.type(), {a});
}

Expr sqrt(const Expr& a) { return real_function(Op::sqrt, "sqrt", a); }
Expr exp(const Expr& a) { return real_function(Op::exp, "exp", a); }
Expr log(const Expr& a) { return real_function(Op::log, "log", a); }
Expr sin(const Expr& a) { return real_function(Op::sin, "sin", a); }
Expr cos(const Expr& a) { return real_function(Op::cos, "cos", a); }

Expr atan2(const Expr& y, const Expr& x) {
  const Numbers numbers = match("atan2", y, x);
  return node(Op::atan2, {ScalarType::real, numbers.type.dims}, {real(numbers.a), real(numbers.b)});
}

Expr real(const Expr& a) {
  if (a.type().scalar == ScalarType::real) return a;
  if (a.op() == Op::integer_literal || a.op() == Op::boolean_literal) return {static_cast<double>(a.node().integer)};
  return node(Op::to_real, {ScalarType::real, a.type().dims}, {a});
}

Expr select(const Expr& condition, const Expr& if_true, const Expr& if_false) {
  if (!is_boolean(condition)) reject("select", condition, "its first argument must be a condition, such as a < b");
  Numbers numbers = match("select", if_true, if_false);
  return node(Op::select, numbers.type, {condition, std::move(numbers.a), std::move(numbers.b)});
}

Expr dot(const Expr& a, const Expr& b) {
  if (a.type().dims != b.type().dims) reject("dot", a, b, "vectors must have the same number of components");
  Numbers numbers = match("dot", a, b);
  return node(Op::dot, {numbers.type.scalar, 1}, {std::move(numbers.a), std::move(numbers.b)});
}

}  // namespace flashbias
