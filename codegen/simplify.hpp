#pragma once

#include "flashbias/bias.hpp"

namespace flashbias::codegen {

/// The same value at every visible score, with less to compute: names stripped, vectors written out by component,
/// literals folded, neutral elements gone, signs known under a causal mask used, and differences of integers taken in
/// f32 where they end up as reals and their operands are below 2^24, which f32 holds exactly, because integer-to-real
/// conversion is slow on the GPU.
[[nodiscard]] Expr simplify(const Expr& expr, bool causal);

/// Component c of a vector expression, written out; a scalar stands for each of its components.
[[nodiscard]] Expr component_of(const Expr& expr, int c);

/// Whether f32 holds each value that an integer expression may have.
[[nodiscard]] bool exact_in_f32(const Expr& integer);

}  // namespace flashbias::codegen
