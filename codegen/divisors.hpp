#pragma once

#include "flashbias/bias.hpp"

namespace flashbias::codegen {

/// Throws Error(invalid_config), with the place in the bias' text, where it divides by what may be 0, as far as
/// declared ranges, the functions' own and the conditions that guard the place tell. `causal`: at scores that a causal
/// mask leaves visible.
void reject_zero_divisors(const Expr& bias, bool causal);

}  // namespace flashbias::codegen
