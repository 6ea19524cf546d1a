#pragma once

#include <optional>
#include <vector>

#include "codegen/sum_of_products.hpp"
#include "flashbias/bias.hpp"

namespace flashbias::codegen {

/// An expression as query_only + key_only + the sum of query * key over the factors, with as few factors as the rank of
/// its coefficients. What varies with the head alone goes wholly to the query side or wholly to the key side, whichever
/// gives fewer; only a bias that needs it on both sides, such as (x0 + a x1) * (y0 + a y1), has more than its rank.
struct Separation {
  struct Factor {
    Expr query;
    Expr key;
  };
  Expr query_only;  ///< which the softmax ignores
  Expr key_only;    ///< one number a key
  std::vector<Factor> factors;

  [[nodiscard]] int rank() const { return static_cast<int>(factors.size()); }
};

/// Exact in the rationals: coefficients are compared and eliminated without rounding. Nothing for an expression that is
/// no finite sum of products of query and key terms, or too large a one.
[[nodiscard]] std::optional<Separation> separate(const Expr& expr);
[[nodiscard]] std::optional<Separation> separate(const SumOfProducts& sum);

/// Whether no atom of the sum varies with both query and key.
[[nodiscard]] bool is_separable(const SumOfProducts& sum);

}  // namespace flashbias::codegen
