#pragma once

#include "flashbias/plan.hpp"

namespace flashbias::codegen {

/// Completes a plan whose config is valid and resolved, of the backward direction.
void plan_backward(KernelPlan& plan);

/// Whether the gradient of q is added up by passes that own keys.
[[nodiscard]] bool adds_to_queries(const KernelPlan& plan);

/// What stays in registers of a pass that adds to queries, as left operands.
struct OperandsInRegisters {
  bool rows = false;       ///< keys and values
  bool gradients = false;  ///< of scores, for those of keys
};

/// Where registers have room: the tensor cores read operands in shared memory anew for each product, and where both are
/// 64 wide no faster than they multiply.
[[nodiscard]] OperandsInRegisters operands_in_registers(const KernelPlan& plan);

/// Columns of the sums of queries that such passes add to: of d_q, and of the factors whose gradients are asked for.
[[nodiscard]] int query_sum_columns(const KernelPlan& plan);

}  // namespace flashbias::codegen
