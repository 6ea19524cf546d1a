#pragma once

#include <optional>
#include <string>
#include <vector>

#include "codegen/algebra.hpp"
#include "codegen/separation.hpp"
#include "codegen/split_factors.hpp"
#include "flashbias/config.hpp"
#include "flashbias/plan.hpp"

namespace flashbias::codegen {

/// A product of two inputs that runs on the tensor cores as they are; those of f32 as three bf16 parts, which hold its
/// 24 bits, in the six products of parts that matter.
struct FactorTerm {
  std::string q_input;
  std::string k_input;
  int rank = 0;
  DType dtype = DType::f16;  ///< of both: f16, bf16 or f32

  [[nodiscard]] int steps() const { return (rank + 15) / 16 * (dtype == DType::f32 ? 6 : 1); }  ///< of the tensor cores
};

/// A term that varies with both query and key, and all that the choice of its lowering takes.
struct TermAnalysis {
  Expr score;                     ///< what is evaluated for each score, where it is ...
  Expr query_only;                ///< ... beside what is dropped ...
  Expr key_only;                  ///< ... and what is one number a key
  bool compares = false;          ///< whether the score takes differences of query and key values
  bool compares_exactly = false;  ///< ... each of numbers that f32 holds, so that it is rounded once
  bool in_differences = false;    ///< whether the score is a polynomial written in such differences
  std::optional<Expr> slope{};    ///< of a term that is linear in kv_index
  std::optional<FactorTerm> supplied{};
  std::optional<Separation> separation{};
  std::optional<SplitFactors> split{};      ///< of the separation, where exact
  std::vector<Alternative> alternatives{};  ///< cheapest first, those that can be taken before the others
};

/// Of a real value whose lowering may change a score by at most `error_budget`.
[[nodiscard]] TermAnalysis analyse_term(const Expr& value, const AttentionConfig& config, double error_budget,
                                        Algebra& algebra);

/// The product of two whole inputs, which their owner supplies as factors.
[[nodiscard]] std::optional<FactorTerm> supplied_factors(const Expr& expr, DType dtype_of_q);

/// Products of vectors as sums of products of their components.
[[nodiscard]] Expr write_out_dots(const Expr& expr);

}  // namespace flashbias::codegen
