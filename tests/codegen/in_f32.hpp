#pragma once

#include <cmath>
#include <cstdint>
#include <stdexcept>

#include "codegen/inputs.hpp"
#include "flashbias/bias.hpp"
#include "tests/codegen/arithmetic.hpp"
#include "tests/codegen/sampled_inputs.hpp"

namespace flashbias::testing {

/// Evaluates as a kernel does: every operation on reals rounded to f32. Integers and conditions are exact.
class InF32 {
 public:
  InF32(const SampledInputs& inputs, std::int64_t i, std::int64_t j) : inputs_(inputs), i_(i), j_(j) {}

  float operator()(const Expr& e) const {
    const auto arg = [&](std::size_t index) { return (*this)(e.arg(index)); };
    if (e.type().scalar != ScalarType::real || codegen::is_input(e.op()) || e.op() == Op::component)
      return static_cast<float>(inputs_.at(e, i_, j_));
    if (const auto value = arithmetic<float>(e.op(), arg)) return *value;
    switch (e.op()) {
      case Op::real_literal:
        return static_cast<float>(e.node().real);
      case Op::named:
      case Op::to_real:
        return arg(0);
      case Op::select:
        return arg(inputs_.at(e.arg(0), i_, j_) != 0 ? 1 : 2);
      case Op::sqrt:
        return std::sqrt(arg(0));
      case Op::exp:
        return std::exp(arg(0));
      case Op::log:
        return std::log(arg(0));
      case Op::sin:
        return std::sin(arg(0));
      case Op::cos:
        return std::cos(arg(0));
      case Op::atan2:
        return std::atan2(arg(0), arg(1));
      default:
        throw std::invalid_argument(to_string(e));
    }
  }

 private:
  const SampledInputs& inputs_;
  std::int64_t i_, j_;
};

}  // namespace flashbias::testing
