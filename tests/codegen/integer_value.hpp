#pragma once

#include <cstdint>
#include <stdexcept>

#include "flashbias/bias.hpp"
#include "tests/codegen/arithmetic.hpp"

namespace flashbias::testing {

/// Where an integer expression is evaluated.
struct Place {
  std::int64_t i = 0, j = 0, q_length = 1, kv_length = 1;
};

/// Value of an expression that reads no inputs.
inline std::int64_t integer_value(const Expr& expr, const Place& at) {
  const auto arg = [&](std::size_t index) { return integer_value(expr.arg(index), at); };
  if (const auto value = arithmetic<std::int64_t>(expr.op(), arg)) return *value;
  switch (expr.op()) {
    case Op::integer_literal:
      return expr.node().integer;
    case Op::q_index:
      return at.i;
    case Op::kv_index:
      return at.j;
    case Op::q_length:
      return at.q_length;
    case Op::kv_length:
      return at.kv_length;
    case Op::named:
      return arg(0);
    case Op::remainder:
      return arg(0) % arg(1);
    case Op::less:
      return arg(0) < arg(1) ? 1 : 0;
    case Op::less_equal:
      return arg(0) <= arg(1) ? 1 : 0;
    case Op::select:
      return arg(0) != 0 ? arg(1) : arg(2);
    default:
      throw std::logic_error("integer_value does not know " + to_string(expr));
  }
}

}  // namespace flashbias::testing
