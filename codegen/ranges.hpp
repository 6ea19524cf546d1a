#pragma once

#include <cstdint>
#include <optional>

#include "flashbias/bias.hpp"

namespace flashbias::codegen {

/// What is declared at one use of an input or an index holds at all its uses. Throws Error(invalid_config) where two
/// declarations have no value in common.
[[nodiscard]] Expr spread_declared_ranges(const Expr& bias);

/// Tokens that the range of an index, where declared, leaves.
[[nodiscard]] std::optional<std::int64_t> tokens_in_range(const Expr& bias, Op index);

}  // namespace flashbias::codegen
