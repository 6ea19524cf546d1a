#pragma once

#include <optional>
#include <string>
#include <vector>

#include "codegen/hoisting.hpp"
#include "codegen/key_range.hpp"
#include "codegen/split_factors.hpp"
#include "codegen/term_lowering.hpp"
#include "flashbias/config.hpp"
#include "flashbias/plan.hpp"

namespace flashbias::codegen {

/// A bias taken apart by what has to be computed when. Sums that are empty are the literal 0. What is added to scores
/// is measured in units of the softmax scale, as q k^T is, so that no score needs to be multiplied by the scale before
/// the exponential; but supplied factors cannot be, and where there are any nothing is.
struct BiasProgram {
  std::vector<TermPlan> terms;  ///< each addend as typed, and its fate
  KeyRange visible;             ///< the sums below count for keys inside it; the others are hidden
  Expr row_offset;              ///< once a row: what the softmax ignores; may mention kv_origin()
  Expr kv_slope;                ///< once a head: scores get kv_slope * (kv_index - kv_origin) ...
  Expr key_column;              ///< ... and this, once a key, which then holds the slope's part too
  Expr diagonal;                ///< once a diagonal of the tile
  Expr score;                   ///< for each score, beyond the key column and the diagonal
  std::vector<FactorTerm> factors;
  std::optional<SplitFactors> split_factors;
  HoistedScore hoisted;  ///< what of these is computed less often than once a score

  [[nodiscard]] bool has_kv_slope() const;
  /// A slope without a key column: what it adds to a key is multiplied by the key's place in the tile.
  [[nodiscard]] bool has_slope_alone() const { return has_kv_slope() && !has_key_column(); }
  /// Tensor-core steps of all factors beyond q k^T.
  [[nodiscard]] int factor_steps() const;
  /// A value of each key that is added to its scores: a slope alone needs none, its products are as cheap.
  [[nodiscard]] bool has_key_column() const;
  [[nodiscard]] bool has_diagonal() const;
  [[nodiscard]] bool has_score() const;
  /// A row offset counts only where the log-sum-exp is asked for or where it might not be finite.
  [[nodiscard]] bool needs_row_offset(const AttentionConfig& config) const;
  /// Anything at all that is added to scores one by one.
  [[nodiscard]] bool has_score_terms() const {
    return has_kv_slope() || has_key_column() || has_diagonal() || has_score();
  }
};

/// All passes one after the other (codegen/passes/passes.hpp). Throws Error(invalid_config) for a bias that no lowering
/// can serve.
[[nodiscard]] BiasProgram lower_bias(const AttentionConfig& config);

/// Inputs for each query and key that scores read, by name.
[[nodiscard]] std::vector<InputSpec> pair_inputs(const AttentionConfig& config, const BiasProgram& program);

/// The key position that a thread block counts kv_index from, so that numbers stay small where they matter: the last
/// key it sees where the slope is positive, else the first.
[[nodiscard]] Expr kv_origin();

}  // namespace flashbias::codegen
