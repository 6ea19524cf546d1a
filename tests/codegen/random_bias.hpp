#pragma once

#include <random>

#include "flashbias/bias.hpp"

namespace flashbias::testing {

/// Biases of all kinds, of the inputs of SampledInputs: some of their terms separable, some with ranges, some masks.
class RandomBias {
 public:
  explicit RandomBias(unsigned seed) : random_(seed) {}

  [[nodiscard]] Expr operator()();
  [[nodiscard]] Expr polynomial(int depth);
  [[nodiscard]] int below(int end) { return std::uniform_int_distribution(0, end - 1)(random_); }

 private:
  Expr ranged(const Expr& input);
  Expr leaf();
  Expr mixed();
  Expr term();

  std::mt19937 random_;
};

}  // namespace flashbias::testing
