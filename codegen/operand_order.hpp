#pragma once

#include "flashbias/bias.hpp"

namespace flashbias::codegen {

/// The same value however the operands of commutative operators were ordered, and factors of products grouped. Sums of
/// reals keep their grouping, on which their rounding depends.
[[nodiscard]] Expr with_ordered_operands(const Expr& expr);

}  // namespace flashbias::codegen
