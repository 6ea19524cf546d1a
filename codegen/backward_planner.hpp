#pragma once

#include "flashbias/plan.hpp"

namespace flashbias::codegen {

/// Completes a plan whose config is valid and resolved, of the backward direction.
void plan_backward(KernelPlan& plan);

/// Whether the gradient of q is added up by passes that own keys.
[[nodiscard]] bool adds_to_queries(const KernelPlan& plan);

/// Columns of the sums of queries that such passes add to: of d_q, and of the factors whose gradients are asked for.
[[nodiscard]] int query_sum_columns(const KernelPlan& plan);

}  // namespace flashbias::codegen
