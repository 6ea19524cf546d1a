#pragma once

#include <gmpxx.h>

#include <compare>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "codegen/rewrite.hpp"
#include "flashbias/bias.hpp"

/// The algebra in which two writings of the same polynomial are the same: sums of products of atoms with rational
/// coefficients. An atom is what is no sum, difference or product: an index, a component of an input, a function's
/// value.
namespace flashbias::codegen {

/// Ordered by its text, which is that of its expression.
class Atom {
 public:
  explicit Atom(const Expr& expr) : named_(std::make_shared<const Named>(to_string(expr), expr)) {}

  [[nodiscard]] const Expr& expr() const { return named_->second; }
  friend bool operator==(const Atom& a, const Atom& b) { return a.named_ == b.named_ || a.text() == b.text(); }
  friend std::strong_ordering operator<=>(const Atom& a, const Atom& b) {
    return a.named_ == b.named_ ? std::strong_ordering::equal : a.text() <=> b.text();
  }

 private:
  using Named = std::pair<std::string, Expr>;
  [[nodiscard]] const std::string& text() const { return named_->first; }

  std::shared_ptr<const Named> named_;
};

struct Power {
  Atom atom;
  int exponent = 1;  ///< at least 1
  friend bool operator<(const Power& a, const Power& b) {
    return std::tie(a.atom, a.exponent) < std::tie(b.atom, b.exponent);
  }
};

/// In the order of their atoms, each once. Empty: the number 1.
using Monomial = std::vector<Power>;

[[nodiscard]] Monomial product(const Monomial& a, const Monomial& b);
/// What the monomial's value varies with.
[[nodiscard]] Dependence dependence(const Monomial& monomial);

struct SumOfProducts {
  std::map<Monomial, mpq_class> terms;  ///< coefficients, none of them 0
};

[[nodiscard]] SumOfProducts sum(SumOfProducts a, const SumOfProducts& b, int sign = 1);
[[nodiscard]] SumOfProducts product(const SumOfProducts& a, const SumOfProducts& b);

/// A scalar number written out as a sum of products. exp, sin and cos of a sum are split into a product of what depends
/// on the query and what depends on the key. Nothing where that takes more than some ten thousand operations.
[[nodiscard]] std::optional<SumOfProducts> expand(const Expr& expr);
/// Likewise of an expression that is simplified already (codegen/simplify.hpp).
[[nodiscard]] std::optional<SumOfProducts> expand_simplified(const Expr& expr);

/// The sum as an expression, in a fixed order; coefficients are cut to double (mpq_class::get_d). Throws
/// Error(invalid_config) where it is longer than an expression may be.
[[nodiscard]] Expr to_expr(const SumOfProducts& sum);

}  // namespace flashbias::codegen
