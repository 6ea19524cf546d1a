#pragma once

#include <string_view>
#include <vector>

#include "codegen/addends.hpp"
#include "codegen/algebra.hpp"
#include "codegen/bias_program.hpp"
#include "codegen/canonical_sum.hpp"
#include "flashbias/config.hpp"

namespace flashbias::codegen {

/// A bias between two passes: addends that have found no place in the kernel yet, and the places of the others. After
/// each pass they add up to the bias as typed at every key that is visible.
struct BiasForm {
  explicit BiasForm(const AttentionConfig& of);

  AttentionConfig config;
  Algebra algebra;
  double error_budget;  ///< by which a score may be off
  std::vector<Addend> addends;
  // Places, as in BiasProgram, whose expressions are their totals ...
  CanonicalSum row_offset, kv_slope, key_column, diagonal, score;
  // ... and one of its own: what will be products of factors that the kernel computes.
  CanonicalSum products;
  bool products_are_bounded = true;   ///< by the declared ranges of their inputs
  bool took_forced_lowering = false;  ///< of the config
  BiasProgram program;

  /// Whether no query sees a key behind its own position.
  [[nodiscard]] bool is_causal() const;
};

/// A place and what it adds to a score.
struct BiasPart {
  std::string_view place;
  Expr expression;
};

/// All of the form, those without an expression left out.
[[nodiscard]] std::vector<BiasPart> parts(const BiasForm& form);

}  // namespace flashbias::codegen
