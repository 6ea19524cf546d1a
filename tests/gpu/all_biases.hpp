#pragma once

#include <vector>

#include "flashbias/bias.hpp"

namespace flashbias::testing {

/// One of each kind, and some together.
[[nodiscard]] std::vector<Expr> all_biases();

}  // namespace flashbias::testing
