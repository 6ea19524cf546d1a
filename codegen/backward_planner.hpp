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

/// The low-rank terms whose queries' factors get gradients from such passes.
[[nodiscard]] std::vector<const FactorTerm*> summed_factors(const KernelPlan& plan);

/// Head scalars whose gradients are summed up in a fixed order, by a kernel of their own.
[[nodiscard]] std::vector<const InputSpec*> ordered_scalars(const KernelPlan& plan);

/// Rows of queries that a part of such a sum is of.
inline constexpr int kRowsOfHeadSum = 8;

/// Numbers of the workspace for each query and head: of statistics, and, where passes add to queries, sums of d_q and
/// of the factors whose gradients are asked for; less where batch items or heads share these. Parts of the sums
/// for head scalars, one for kRowsOfHeadSum queries, are not among them.
[[nodiscard]] int workspace_columns(const KernelPlan& plan);

}  // namespace flashbias::codegen
