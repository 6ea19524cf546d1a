#pragma once

#include "codegen/key_range.hpp"
#include "flashbias/bias.hpp"

namespace flashbias::codegen {

/// A bias, or an addend of one, without what hides keys by their place.
struct MaskedBias {
  KeyRange visible;  ///< -infinity outside it; exact where `rest` has no condition of the mask left
  Expr rest;         ///< the bias inside; outside, anything
};

/// Takes off conditions of select(condition, ..., -infinity), in any nesting, that tell a range of keys. Where there is
/// none, `visible` has no bounds and `rest` is the bias as it was.
[[nodiscard]] MaskedBias take_off_mask(const Expr& bias, bool causal);

/// Whether somewhere in the bias a literal may make -infinity a NaN: a positive infinity or a NaN among the addends, or
/// an infinity under an operation that might turn it into one.
[[nodiscard]] bool may_cancel_mask(const Expr& bias);

/// Whether an addend hides keys by a select(condition, ..., -infinity).
[[nodiscard]] bool hides_keys(const Expr& addend);

}  // namespace flashbias::codegen
