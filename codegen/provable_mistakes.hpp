#pragma once

#include "flashbias/bias.hpp"

namespace flashbias::codegen {

/// Throws Error(invalid_config) where a bias is wrong at every score, whatever its inputs hold: a table read outside
/// its entries, a literal that kernels cannot hold.
void reject_provable_mistakes(const Expr& bias);

}  // namespace flashbias::codegen
