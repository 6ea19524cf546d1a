#include "codegen/cost_model.hpp"

#include <algorithm>

#include "codegen/hoisting.hpp"
#include "codegen/main_loop.hpp"
#include "codegen/operation_count.hpp"

namespace flashbias::codegen {
namespace {

/// What a score takes longer in the portable main loop than in that for Hopper, in instructions. Without a bias 2 to 4
/// at head dimension 32, 10 to 11 at 64, 24 to 28 at 128, 56 and 69 at 192 and 256; with factors 4 at 32, 11 to 22
/// at 64.
double portable_loop_cost(int head_dim) {
  if (head_dim <= 32) return 4;
  if (head_dim <= 64) return 14;
  return head_dim <= 128 ? 28 : 60;
}

}  // namespace

CostModel cost_model(const AttentionConfig& config) {
  // Hopper's f32 pipes are twice as wide as Ampere's beside the same mma.sync, so that a step weighs more there.
  const bool wide = config.arch.compute_capability >= 90;
  CostModel model{.tensor_step = wide ? 1.2 : 0.8,
                  .add = 1,
                  .diagonal_read = 4,
                  .global_read = 8,
                  .key_instruction = 1.0 / 64,
                  .key_read = 0,
                  .portable_loop = 0};
  if (why_portable(config) || is_bound_by_instructions(config)) return model;
  model.diagonal_read = 3.5;  // 2 to 10 % faster than ALiBi's three instructions and an addition
  model.key_read = 2;         // its 16 rows a warp share a read, where they are 32 in the portable loop
  model.portable_loop = portable_loop_cost(std::max(config.head_dim, config.head_dim_v));
  return model;
}

double register_cost(const Expr& value, const CostModel& model) {
  const double reads = model.key_read > 0 ? model.key_read * count_key_values(value) : 0;
  return operation_count(value) + reads + model.add;
}

double factor_cost(const SplitFactors& factors, const CostModel& model) {
  constexpr int kInstructionsOfAPart = 3;  // round, subtract, pack
  constexpr int kStores = 8;
  int instructions = kStores + kInstructionsOfAPart * factors.rank() * factors.parts;
  for (const Separation::Factor& factor : factors.factors) instructions += factor.key.node().nodes;
  return factors.steps() * model.tensor_step + instructions * model.key_instruction;
}

double factor_cost(const FactorTerm& factors, const AttentionConfig& config, const CostModel& model) {
  const double cost = factors.steps() * model.tensor_step + model.add;
  return why_portable(factors, config.dtype) ? cost + model.portable_loop : cost;
}

}  // namespace flashbias::codegen
