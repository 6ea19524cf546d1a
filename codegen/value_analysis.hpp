#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "codegen/value_set.hpp"
#include "flashbias/bias.hpp"

/// What the parts of a bias may be at some score, from declared ranges, the functions' own, and the conditions that
/// guard each place. Numbers are exact here: where f32 rounds a divisor to 0 that is none, as in 1 / exp(-200), the
/// quotient is beyond f32 as well.
namespace flashbias::codegen {

/// A division, or a remainder, by what may be 0.
struct ZeroDivisor {
  std::vector<std::size_t> path{};  ///< from the bias, as numbers of arguments
  Expr division;
  ValueSet values;  ///< of the divisor
};

/// The first in the order of evaluation. Declared ranges count where they stand (see spread_declared_ranges);
/// `causal`: at scores that a causal mask leaves visible.
[[nodiscard]] std::optional<ZeroDivisor> find_zero_divisor(const Expr& bias, bool causal);

/// Of a sum of indices and lengths, which intervals of its parts tell less of: an index is less than its length.
/// Nothing of any other expression.
[[nodiscard]] std::optional<ValueSet> values_of_index_sum(const Expr& expr, bool causal);

}  // namespace flashbias::codegen
