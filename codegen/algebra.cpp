#include "codegen/algebra.hpp"

namespace flashbias::codegen {

const std::optional<SumOfProducts>& Algebra::written_out(const Expr& expr) {
  const auto [found, is_new] = sums_.try_emplace(expr);
  if (is_new) found->second = expand_simplified(expr);
  return found->second;
}

std::optional<Expr> Algebra::canonical(const Expr& expr) {
  const auto& sum = written_out(expr);
  if (!sum) return std::nullopt;
  Expr result = to_expr(*sum);
  sums_.try_emplace(result, sum);
  return result;
}

const std::optional<Separation>& Algebra::separation(const Expr& expr) {
  const auto [found, is_new] = separations_.try_emplace(expr);
  if (is_new)
    if (const auto& sum = written_out(expr)) found->second = separate(*sum);
  return found->second;
}

const std::optional<DifferenceForm>& Algebra::differences(const Expr& expr) {
  const auto [found, is_new] = differences_.try_emplace(expr);
  if (is_new)
    if (const auto& sum = written_out(expr)) found->second = in_differences(*sum);
  return found->second;
}

}  // namespace flashbias::codegen
