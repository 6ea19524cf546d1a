#pragma once

#include <gmpxx.h>

#include <map>
#include <optional>
#include <string>

#include "flashbias/bias.hpp"

/// The algebra in which two writings of the same polynomial are the same: sums of products of atoms with rational
/// coefficients. An atom is what is no sum, difference or product: an index, a component of an input, a function's
/// value.
namespace flashbias::codegen {

/// Atoms by text, with their exponents, all at least 1. Empty: the number 1.
using Monomial = std::map<std::string, int>;

[[nodiscard]] Monomial product(Monomial a, const Monomial& b);

struct SumOfProducts {
  std::map<Monomial, mpq_class> terms;  ///< coefficients, none of them 0
  std::map<std::string, Expr> atoms;    ///< what their texts stand for
};

[[nodiscard]] SumOfProducts sum(SumOfProducts a, const SumOfProducts& b, int sign = 1);
[[nodiscard]] SumOfProducts product(const SumOfProducts& a, const SumOfProducts& b);

/// A scalar number written out as a sum of products. exp, sin and cos of a sum are split into a product of what depends
/// on the query and what depends on the key. Nothing where that takes more than some ten thousand operations.
[[nodiscard]] std::optional<SumOfProducts> expand(const Expr& expr);

/// The sum as an expression, in a fixed order; coefficients are rounded to double. Throws Error(invalid_config) where
/// it is longer than an expression may be.
[[nodiscard]] Expr to_expr(const SumOfProducts& sum);

}  // namespace flashbias::codegen
