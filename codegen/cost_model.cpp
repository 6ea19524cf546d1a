#include "codegen/cost_model.hpp"

#include "codegen/operation_count.hpp"

namespace flashbias::codegen {

CostModel cost_model(Arch arch) {
  // Hopper's f32 pipes are twice as wide as Ampere's beside the same mma.sync, so that a step weighs more there.
  const bool wide = arch.compute_capability >= 90;
  return {.tensor_step = wide ? 1.2 : 0.8, .add = 1, .diagonal_read = 4, .global_read = 8, .key_instruction = 1.0 / 64};
}

double register_cost(const Expr& value, const CostModel& model) { return operation_count(value) + model.add; }

double factor_cost(const SplitFactors& factors, const CostModel& model) {
  constexpr int kInstructionsOfAPart = 3;  // round, subtract, pack
  constexpr int kStores = 8;
  int instructions = kStores + kInstructionsOfAPart * factors.rank() * factors.parts;
  for (const Separation::Factor& factor : factors.factors) instructions += factor.key.node().nodes;
  return factors.steps() * model.tensor_step + instructions * model.key_instruction;
}

}  // namespace flashbias::codegen
