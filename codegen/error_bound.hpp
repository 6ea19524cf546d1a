#pragma once

#include "flashbias/bias.hpp"

/// How exactly f32 evaluates an expression, from the declared ranges of its inputs. docs/exactness.md derives the
/// rules.
namespace flashbias::codegen {

/// Half the distance from 1 to the next number: what one rounding may add, relative to its result.
inline constexpr double kF32Rounding = 0x1p-24;

/// Indices that are not declared otherwise are below this.
inline constexpr double kIndexRange = 0x1p20;

/// A number as a kernel computes it. Infinite where an input declares no range.
struct F32Value {
  double low = 0;  ///< bounds of the exact value
  double high = 0;
  double error = 0;  ///< bound of |computed - exact|

  [[nodiscard]] double magnitude() const noexcept;  ///< of the exact value
};

/// Of a real or integer scalar. Integers are exact; conditions count as either way.
[[nodiscard]] F32Value f32_value(const Expr& expr);

}  // namespace flashbias::codegen
