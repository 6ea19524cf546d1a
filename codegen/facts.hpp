#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "codegen/linear_sum.hpp"
#include "codegen/value_set.hpp"
#include "flashbias/bias.hpp"

namespace flashbias::codegen {

/// What a condition tells of an expression.
struct Fact {
  Expr of;
  ValueSet values;
  std::optional<LinearSum> sum{};  ///< `of`, where it is an integer
};

/// What holds where a condition is true, and where it is false.
struct Consequences {
  std::vector<Fact> if_true{};
  std::vector<Fact> if_false{};
};

/// Of `less`, `less_equal` or `equal`, whose operands are numbers among a and b.
[[nodiscard]] Consequences consequences_of_comparison(const Expr& comparison, const ValueSet& a, const ValueSet& b);

/// Of `a && b`.
[[nodiscard]] Consequences consequences_of_and(Consequences a, const Consequences& b);

/// Facts that hold at one place of an expression: those of the branches that it stands in.
class Facts {
 public:
  /// Adds facts while it lives.
  class Scope {
   public:
    Scope(Facts& facts, const std::vector<Fact>& added);
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;
    ~Scope();

   private:
    Facts& facts_;
    std::size_t before_;
  };

  /// What an expression may be, given what it may be without them.
  [[nodiscard]] ValueSet narrowed(const Expr& expr, const ValueSet& values) const;
  /// Likewise by facts of integers that differ from it by a constant, or by the sign, too.
  [[nodiscard]] ValueSet narrowed(const LinearSum& sum, const ValueSet& values) const;

 private:
  std::vector<Fact> facts_;
};

}  // namespace flashbias::codegen
