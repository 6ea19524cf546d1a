#pragma once

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <optional>

#include "flashbias/bias.hpp"

namespace flashbias::testing {

/// Value of an operation that integers and reals share; nothing for others. `arg(i)` evaluates the i-th argument.
template <class Number, class Argument>
std::optional<Number> arithmetic(Op op, const Argument& arg) {
  switch (op) {
    case Op::negate:
      return -arg(0);
    case Op::absolute:
      return std::abs(arg(0));
    case Op::add:
      return arg(0) + arg(1);
    case Op::subtract:
      return arg(0) - arg(1);
    case Op::multiply:
      return arg(0) * arg(1);
    case Op::divide:
      return arg(0) / arg(1);
    case Op::minimum:
      return std::min(arg(0), arg(1));
    case Op::maximum:
      return std::max(arg(0), arg(1));
    default:
      return std::nullopt;
  }
}

}  // namespace flashbias::testing
