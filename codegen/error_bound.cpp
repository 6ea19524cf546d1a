#include "codegen/error_bound.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <unordered_map>

#include "codegen/by_structure.hpp"
#include "codegen/index_algebra.hpp"
#include "codegen/inputs.hpp"
#include "codegen/value_set.hpp"

namespace flashbias::codegen {
namespace {

/// CUDA's expf, logf, sinf, cosf, roots and quotients stay within two units of the last place of a result (CUDA C++
/// Programming Guide, mathematical functions); an absolute 2^-22 for those whose results are at most 1.
constexpr double kFunctionRounding = 4 * kF32Rounding;
/// templates/arctangent.cuh stays within four units.
constexpr double kAngleRounding = 8 * kF32Rounding;

F32Value unbounded() { return {-kInfinity, kInfinity, kInfinity}; }

/// What f32 computes with an error relative to its result: what it cannot hold is anything, and what it cannot tell
/// from 0 may be that.
F32Value rounded(F32Value value, double relative_error = kF32Rounding) {
  constexpr double kMost = std::numeric_limits<float>::max();
  constexpr double kLeast = std::numeric_limits<float>::min();
  const double magnitude = value.magnitude();
  if (magnitude == 0) return value;
  value.error += magnitude * relative_error + kLeast;
  return magnitude + value.error > kMost ? unbounded() : value;
}

F32Value exact(double low, double high) { return {low, high, 0}; }

F32Value input(const Expr& expr) {
  const auto& range = expr.node().range;
  return range ? exact(range->low, range->high) : exact(-kInfinity, kInfinity);
}

F32Value integer(const Expr& expr) {
  if (expr.op() == Op::q_index || expr.op() == Op::kv_index) {
    const auto& range = expr.node().range;
    return range ? exact(range->low, range->high) : exact(0, kIndexRange);
  }
  if (expr.op() == Op::q_length || expr.op() == Op::kv_length) return exact(0, kIndexRange);
  if (is_input(expr.op())) return input(expr);
  const auto bounds = interval(expr);
  return bounds ? exact(static_cast<double>(bounds->low), static_cast<double>(bounds->high)) : exact(-0x1p31, 0x1p31);
}

F32Value add(const F32Value& a, const F32Value& b) {
  return rounded({a.low + b.low, a.high + b.high, a.error + b.error});
}

F32Value negated(const F32Value& a) { return {-a.high, -a.low, a.error}; }

F32Value multiply(const F32Value& a, const F32Value& b) {
  const auto [low, high] =
      std::minmax({times(a.low, b.low), times(a.low, b.high), times(a.high, b.low), times(a.high, b.high)});
  const double error = times(a.magnitude(), b.error) + times(b.magnitude(), a.error) + times(a.error, b.error);
  return rounded({low, high, error});
}

/// Of a divisor that keeps away from 0.
F32Value reciprocal(const F32Value& a) {
  const double least = std::min(std::abs(a.low), std::abs(a.high));
  if (a.low <= 0 && a.high >= 0) return unbounded();
  if (a.error >= least) return unbounded();
  return {1 / a.high, 1 / a.low, a.error / (least * (least - a.error))};
}

F32Value quotient(const F32Value& a, const F32Value& b) {
  return rounded(multiply(a, reciprocal(b)), kFunctionRounding);
}

/// A function that never falls and whose slope is at most `slope` where it is asked.
F32Value rising(double (*function)(double), const F32Value& a, double slope) {
  return rounded({function(a.low), function(a.high), times(slope, a.error)}, kFunctionRounding);
}

F32Value square_root(const F32Value& a) {
  if (a.low < 0) return unbounded();
  const double least = std::sqrt(a.low);
  // sqrt(x + e) - sqrt(x) is at most sqrt(e), and at most e / (2 sqrt(x)).
  const double by_slope = least > 0 ? a.error / least : kInfinity;
  return rounded({least, std::sqrt(a.high), std::min(std::sqrt(a.error), by_slope)}, kFunctionRounding);
}

/// The angle of (x, y). It jumps across the negative half of the x axis, and may be anything near the origin.
F32Value angle(const F32Value& y, const F32Value& x) {
  constexpr double kPi = std::numbers::pi;
  F32Value result = exact(-kPi, kPi);
  if (x.low >= 0) result = exact(y.low >= 0 ? 0 : -kPi / 2, y.high <= 0 ? 0 : kPi / 2);
  const double rounding = result.magnitude() * kAngleRounding;
  const double moved = std::hypot(x.error, y.error);
  if (moved == 0) {
    result.error = rounding;
    return result;
  }
  const auto least = [](const F32Value& a) {
    return a.low <= 0 && a.high >= 0 ? 0 : std::min(std::abs(a.low), std::abs(a.high));
  };
  const double distance = std::hypot(least(x), least(y));
  const bool may_jump = x.low - x.error < 0 && y.low - y.error <= 0 && y.high + y.error >= 0;
  // The chord is at most `moved`, and an angle at most pi / 2 times its sine.
  result.error = may_jump || moved >= distance ? 2 * kPi : kPi / 2 * moved / distance + rounding;
  return result;
}

class Evaluator {
 public:
  F32Value at(const Expr& expr) {
    if (const auto found = memo_.find(expr); found != memo_.end()) return found->second;
    const F32Value value = expr.type().scalar == ScalarType::integer ? integer(expr) : real(expr);
    memo_.emplace(expr, value);
    return value;
  }

 private:
  F32Value real(const Expr& e) {
    switch (e.op()) {
      case Op::real_literal:
        return rounded(exact(e.node().real, e.node().real));
      case Op::named:
        return at(e.arg(0));
      case Op::component:
        return input(e.arg(0));
      case Op::to_real:
        return e.arg(0).type().scalar == ScalarType::boolean ? exact(0, 1) : of_integer(at(e.arg(0)));
      case Op::negate:
        return negated(at(e.arg(0)));
      case Op::add:
        return add(at(e.arg(0)), at(e.arg(1)));
      case Op::subtract:
        return add(at(e.arg(0)), negated(at(e.arg(1))));
      case Op::multiply:
        return equal(e.arg(0), e.arg(1)) ? squared(at(e.arg(0))) : multiply(at(e.arg(0)), at(e.arg(1)));
      case Op::divide:
        return quotient(at(e.arg(0)), at(e.arg(1)));
      default:
        return is_input(e.op()) ? input(e) : function(e);
    }
  }

  F32Value function(const Expr& e) {
    switch (e.op()) {
      case Op::minimum:
      case Op::maximum:
        return extreme(e);
      case Op::absolute: {
        const F32Value a = at(e.arg(0));
        return {a.low <= 0 && a.high >= 0 ? 0 : std::min(std::abs(a.low), std::abs(a.high)), a.magnitude(), a.error};
      }
      case Op::sqrt:
        return square_root(at(e.arg(0)));
      case Op::exp: {
        const F32Value a = at(e.arg(0));
        return rising([](double x) { return std::exp(x); }, a, std::exp(a.high + a.error));
      }
      case Op::log: {
        const F32Value a = at(e.arg(0));
        if (a.low <= a.error) return unbounded();
        return rising([](double x) { return std::log(x); }, a, 1 / (a.low - a.error));
      }
      case Op::sin:
      case Op::cos:
        return {-1, 1, std::min(2.0, at(e.arg(0)).error + kFunctionRounding)};
      case Op::atan2:
        return angle(at(e.arg(0)), at(e.arg(1)));
      case Op::select: {
        const F32Value a = at(e.arg(1));
        const F32Value b = at(e.arg(2));
        return {std::min(a.low, b.low), std::max(a.high, b.high), std::max(a.error, b.error)};
      }
      case Op::dot:
        return dot(e);
      default:
        return unbounded();
    }
  }

  F32Value extreme(const Expr& e) {
    const F32Value a = at(e.arg(0));
    const F32Value b = at(e.arg(1));
    const double error = std::max(a.error, b.error);
    if (e.op() == Op::minimum) return {std::min(a.low, b.low), std::min(a.high, b.high), error};
    return {std::max(a.low, b.low), std::max(a.high, b.high), error};
  }

  F32Value dot(const Expr& e) {
    F32Value sum = multiply(at(e.arg(0)[0]), at(e.arg(1)[0]));
    for (int c = 1; c < e.arg(0).type().dims; ++c) sum = add(sum, multiply(at(e.arg(0)[c]), at(e.arg(1)[c])));
    return sum;
  }

  static F32Value squared(const F32Value& a) {
    F32Value square = multiply(a, a);
    if (a.low <= 0 && a.high >= 0)
      square.low = 0;
    else
      square.low = std::min(a.low * a.low, a.high * a.high);
    return square;
  }

  /// Integers up to 2^24 are f32 numbers.
  static F32Value of_integer(const F32Value& a) { return a.magnitude() <= 0x1p24 ? a : rounded(a); }

  std::unordered_map<Expr, F32Value, ByStructure, ByStructure> memo_;
};

}  // namespace

double F32Value::magnitude() const noexcept { return std::max(std::abs(low), std::abs(high)); }

F32Value f32_value(const Expr& expr) { return Evaluator().at(expr); }

}  // namespace flashbias::codegen
