#include "codegen/column_shares.hpp"

#include "codegen/backward_planner.hpp"

namespace flashbias::codegen {

ColumnShares column_shares(const KernelPlan& plan) {
  if (plan.main_loop == MainLoop::hopper) return hopper_shares(adds_by_tiles(plan));
  return {};
}

}  // namespace flashbias::codegen
