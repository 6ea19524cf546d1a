#pragma once

#include "codegen/split_factors.hpp"
#include "codegen/term_lowering.hpp"
#include "flashbias/config.hpp"

namespace flashbias::codegen {

/// What the parts of a bias are predicted to cost, in instructions a score: one is a 32-lane f32 instruction for 32
/// scores. The numbers are fits to measured kernels (docs/history.md); predictions rank lowerings, nothing else.
struct CostModel {
  double tensor_step;      ///< 16 columns more in the product with the keys
  double add;              ///< one number added to a score
  double diagonal_read;    ///< the number read from shared memory and added
  double global_read;      ///< one number a score read from memory and added
  double key_instruction;  ///< executed once a key and tile: divided by the rows that share it
  double key_read;         ///< one value of the key, for an expression evaluated for each score
  double
      portable_loop;  ///< what a lowering costs beside its own instructions if it keeps the config from a faster loop
};

[[nodiscard]] CostModel cost_model(const AttentionConfig& config);

/// Of a value evaluated for each score and added.
[[nodiscard]] double register_cost(const Expr& value, const CostModel& model);
/// Of factors that the kernel computes: their steps on the tensor cores, and computing and splitting those of each key.
[[nodiscard]] double factor_cost(const SplitFactors& factors, const CostModel& model);
/// Of supplied factors.
[[nodiscard]] double factor_cost(const FactorTerm& factors, const AttentionConfig& config, const CostModel& model);

}  // namespace flashbias::codegen
