#pragma once

#include "flashbias/bias.hpp"

/// Arithmetic of real scalars that reads as a person would write it: no zeros, ones or double signs, literals
/// multiplied out and in front, like terms added up. The order of the other factors is kept, and a literal joins
/// another only where their product neither overflows nor vanishes.
namespace flashbias::codegen {

[[nodiscard]] Expr tidy_sum(const Expr& a, const Expr& b);
/// 0 where either is the literal 0, even if the other may be infinite.
[[nodiscard]] Expr tidy_product(const Expr& a, const Expr& b);
/// 0 where `a` is the literal 0, even if `b` may be 0.
[[nodiscard]] Expr tidy_quotient(const Expr& a, const Expr& b);
[[nodiscard]] Expr tidy_negation(const Expr& a);
[[nodiscard]] Expr tidy_select(const Expr& condition, const Expr& if_true, const Expr& if_false);

}  // namespace flashbias::codegen
