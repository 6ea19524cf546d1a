#pragma once

#include "flashbias/bias.hpp"

/// Biases measured in units of the softmax scale, as q k^T is.
namespace flashbias::codegen {

/// 1 / softmax_scale, a parameter of the launch.
[[nodiscard]] Expr inverse_softmax_scale();

/// The expression in units of the softmax scale. A factor that is computed ahead takes the conversion along; then it
/// costs nothing a score.
[[nodiscard]] Expr in_units_of_scale(const Expr& expr);

}  // namespace flashbias::codegen
