#pragma once

#include <vector>

#include "codegen/bias_program.hpp"
#include "flashbias/plan.hpp"

namespace flashbias::codegen {

/// Completes a plan whose config is valid and resolved, of the backward direction.
void plan_backward(KernelPlan& plan);

/// Whether the gradient of q is added up by passes that own keys.
[[nodiscard]] bool adds_to_queries(const KernelPlan& plan);

/// Whether one of these passes joins products of operands and of factors.
[[nodiscard]] bool joins_factors(const KernelPlan& plan);

/// Whether these passes share that out among warpgroups by tiles of queries.
[[nodiscard]] bool adds_by_tiles(const KernelPlan& plan);

/// Rows of keys, or of queries, that belong to a thread block.
[[nodiscard]] int rows_owned(const KernelPlan& plan);

/// What stays in registers of a pass that adds to queries, beside its sums.
struct KeptInRegisters {
  bool rows = false;       ///< keys and values, as left operands
  bool gradients = false;  ///< of scores, as left operands for those of keys
};

/// Where there is room: the tensor cores read operands in shared memory anew for each product, and where both are 64
/// wide no faster than they multiply.
[[nodiscard]] KeptInRegisters kept_in_registers(const KernelPlan& plan);

/// Whether gradients of inputs are the same bits in every run by exact sums (templates/backward/exact_gradient.cuh),
/// where several warps add to a number; a kernel of its own rounds these.
[[nodiscard]] bool has_exact_sums(const KernelPlan& plan);
inline constexpr int kFloatsOfExactSum = 20;

/// Inputs whose gradients are added up in the workspace: factors of queries that keys add to, or all where sums are
/// exact.
[[nodiscard]] std::vector<const InputSpec*> summed_inputs(const KernelPlan& plan);

/// Numbers of the workspace for each query and head: of statistics, and, where passes add to queries, sums of d_q and
/// of queries' factors; less where batch items or heads share these. Exact sums are not among
/// them.
[[nodiscard]] int workspace_columns(const KernelPlan& plan);

}  // namespace flashbias::codegen
