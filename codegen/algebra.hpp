#pragma once

#include <optional>
#include <unordered_map>

#include "codegen/by_structure.hpp"
#include "codegen/differences.hpp"
#include "codegen/separation.hpp"
#include "codegen/sum_of_products.hpp"

namespace flashbias::codegen {

/// What is known of the simplified expressions of one bias: each is written out, separated and compared once, however
/// many passes ask.
class Algebra {
 public:
  [[nodiscard]] const std::optional<SumOfProducts>& written_out(const Expr& expr);
  /// The expression in the one writing of all that are equal to it; nothing where that would take too long.
  [[nodiscard]] std::optional<Expr> canonical(const Expr& expr);
  [[nodiscard]] const std::optional<Separation>& separation(const Expr& expr);
  [[nodiscard]] const std::optional<DifferenceForm>& differences(const Expr& expr);

 private:
  template <class Result>
  using Known = std::unordered_map<Expr, std::optional<Result>, ByStructure, ByStructure>;

  Known<SumOfProducts> sums_;
  Known<Separation> separations_;
  Known<DifferenceForm> differences_;
};

}  // namespace flashbias::codegen
