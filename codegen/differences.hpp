#pragma once

#include <optional>

#include "codegen/sum_of_products.hpp"
#include "flashbias/bias.hpp"

namespace flashbias::codegen {

/// A polynomial that depends on paired query and key values through their differences alone, written in these:
/// x * x - 2.0 * x * y + y * y is (x - y) * (x - y), which f32 evaluates exactly at any magnitude.
struct DifferenceForm {
  Expr differences;
  Expr query_only;  ///< to be added; the softmax ignores it
  Expr key_only;    ///< to be added, of key values that are in no difference
};

/// What is paired: a query input with a key input of as many components, and the indices. However the polynomial was
/// written, the result is the same. Nothing where there is no such form.
[[nodiscard]] std::optional<DifferenceForm> in_differences(const SumOfProducts& polynomial);

}  // namespace flashbias::codegen
