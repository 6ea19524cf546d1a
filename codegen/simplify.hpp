#pragma once

#include "flashbias/bias.hpp"

namespace flashbias::codegen {

/// The same value at every visible score, with less to compute: names stripped, vectors written out by component,
/// literals folded, neutral elements gone, signs known under a causal mask used, and differences of integers taken in
/// f32 (exact below 2^24) where they end up as reals, because integer-to-real conversion is slow on the GPU.
[[nodiscard]] Expr simplify(const Expr& expr, bool causal);

/// Component c of a vector expression, written out; a scalar stands for each of its components.
[[nodiscard]] Expr component_of(const Expr& expr, int c);

}  // namespace flashbias::codegen
