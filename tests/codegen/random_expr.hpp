#pragma once

#include <random>

#include "flashbias/bias.hpp"

namespace flashbias::testing {

/// Well-typed random expressions, the same for the same seed.
class RandomExpr {
 public:
  explicit RandomExpr(unsigned seed) : random_(seed) {}

  /// A scalar number of at most `depth` operators in each branch.
  [[nodiscard]] Expr number(int depth);
  [[nodiscard]] int below(int end) { return std::uniform_int_distribution(0, end - 1)(random_); }

 private:
  Expr divisor(int depth);
  Expr integer(int depth);
  Expr vector(int depth);
  Expr condition(int depth);
  Expr leaf();
  Expr named();
  double literal();

  std::mt19937 random_;
};

}  // namespace flashbias::testing
