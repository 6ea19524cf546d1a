#pragma once

#include "codegen/split_factors.hpp"
#include "flashbias/types.hpp"

namespace flashbias::codegen {

/// What the parts of a bias are predicted to cost, in instructions a score: one is a 32-lane f32 instruction for 32
/// scores. The numbers are fits to measured kernels (docs/performance.md); predictions rank lowerings, nothing else.
struct CostModel {
  double tensor_step;      ///< 16 columns more in the product with the keys
  double add;              ///< one number added to a score
  double diagonal_read;    ///< the number read from shared memory and added
  double global_read;      ///< one number a score read from memory and added
  double key_instruction;  ///< executed once a key and tile: divided by the rows that share it
};

[[nodiscard]] CostModel cost_model(Arch arch);

/// Of a value evaluated for each score and added.
[[nodiscard]] double register_cost(const Expr& value, const CostModel& model);
/// Of products on the tensor cores: their steps, and computing and splitting the factors of each key.
[[nodiscard]] double factor_cost(const SplitFactors& factors, const CostModel& model);

}  // namespace flashbias::codegen
