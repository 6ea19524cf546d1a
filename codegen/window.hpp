#pragma once

#include <cstdint>
#include <optional>

#include "flashbias/bias.hpp"

namespace flashbias::codegen {

/// Tokens of the window that a bias is made for: after so many queries, and keys, its table indices repeat. Nothing
/// where they do not, or where it reads no table.
[[nodiscard]] std::optional<std::int64_t> window_tokens(const Expr& bias);

}  // namespace flashbias::codegen
