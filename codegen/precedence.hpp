#pragma once

namespace flashbias::codegen {

/// How tightly the text forms of the bias language bind, loosest first, as in C.
enum class Precedence { logical_or, logical_and, equality, relation, sum, product, unary, postfix, primary };

/// The next tighter one.
[[nodiscard]] constexpr Precedence above(Precedence precedence) {
  return static_cast<Precedence>(static_cast<int>(precedence) + 1);
}

}  // namespace flashbias::codegen
