#pragma once

#include "flashbias/bias.hpp"

namespace flashbias::codegen {

/// About how many instructions it takes to evaluate an expression for one score.
[[nodiscard]] int operation_count(const Expr& expr);

}  // namespace flashbias::codegen
