#pragma once

#include <cstddef>

#include "flashbias/bias.hpp"

namespace flashbias::codegen {

/// Where in the text of an expression a node stands, found by its identity: the second operand of an operator, the
/// first character of anything else. npos where it is not printed.
[[nodiscard]] std::size_t offset_in_text(const Expr& expr, const ExprNode& node);

}  // namespace flashbias::codegen
