#pragma once

#include <string>
#include <vector>

#include "codegen/backward_sides.hpp"
#include "codegen/derivative.hpp"
#include "codegen/key_range.hpp"
#include "codegen/term_lowering.hpp"
#include "flashbias/config.hpp"
#include "flashbias/plan.hpp"

namespace flashbias::codegen {

/// How the gradient of an input of the bias comes from those of the scores.
struct InputGradient {
  InputSpec input;
  std::vector<Expr> components;  ///< d bias / d input[c]; of a table, none
  std::vector<TableRead> reads;  ///< of a table
};

/// What the backward pass computes for each score.
struct BackwardProgram {
  std::vector<TermPlan> terms;           ///< the addends of the bias as typed
  KeyRange visible;                      ///< what follows counts for keys inside it; the others are hidden
  BiasSides bias;                        ///< also what the softmax ignores: the log-sum-exp counts it
  std::vector<FactorTerm> factors;       ///< beside it: products that run on the tensor cores
  std::vector<InputGradient> gradients;  ///< of inputs of `bias`
};

/// Throws Error(invalid_config) for a bias that the backward pass cannot serve.
[[nodiscard]] BackwardProgram lower_backward(const AttentionConfig& config);

}  // namespace flashbias::codegen
