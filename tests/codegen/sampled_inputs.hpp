#pragma once

#include <array>
#include <cstdint>
#include <random>
#include <vector>

#include "flashbias/bias.hpp"
#include "flashbias/reference.hpp"

namespace flashbias::testing {

/// Numbers for the inputs x (query, 3), y (key, 3), w (query), m (key), u8 mask (key), a and b (head scalars), table t
/// and pair input p, all but the mask uniform in [-extent, extent], and their places in the reference evaluator; and
/// there the unit vectors q_unit_0 to q_unit_2 (query, 3) and k_unit_0 to k_unit_2 (key, 3), the same for each token.
class SampledInputs {
 public:
  static constexpr std::int64_t kTokens = 9;
  static constexpr int kEntries = 8;

  SampledInputs(unsigned seed, double extent);

  [[nodiscard]] double at(const Expr& expr, std::int64_t i, std::int64_t j) const {
    return reference::evaluate(expr, {.q_index = i, .kv_index = j, .q_length = kTokens, .kv_length = kTokens}, inputs_);
  }
  /// Component of x, y, w, m, a or b as a kernel reads it.
  [[nodiscard]] float number(const ExprNode& input, std::int64_t component, std::int64_t i, std::int64_t j) const;

 private:
  std::vector<float> x_, y_, w_, m_, a_, b_, t_, p_;
  std::array<std::vector<float>, 3> units_;
  std::vector<std::uint8_t> mask_;
  reference::Inputs inputs_;
};

}  // namespace flashbias::testing
