#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "flashbias/bias.hpp"

namespace flashbias::codegen {

/// An integer expression as constant + the sum of coefficient * atom. An atom is what is no sum, difference or multiple
/// of others: an index, a length, an input, a quotient.
struct LinearSum {
  struct Term {
    Expr atom;
    std::int64_t coefficient = 1;
  };
  std::int64_t constant = 0;
  std::vector<Term> terms{};  ///< of different atoms, with coefficients other than 0
};

[[nodiscard]] LinearSum operator+(LinearSum a, const LinearSum& b);
[[nodiscard]] LinearSum operator*(LinearSum sum, std::int64_t by);

/// Any integer scalar, however it is written. Nothing where it has more than a few dozen terms, or numbers that 32 bits
/// do not hold.
[[nodiscard]] std::optional<LinearSum> linear_sum(const Expr& expr);

/// The sum as an expression, the same however it came about: what varies with the query first, what is subtracted last.
[[nodiscard]] Expr to_expr(const LinearSum& sum);

}  // namespace flashbias::codegen
