#pragma once

#include <string>
#include <vector>

#include "codegen/term_lowering.hpp"
#include "flashbias/plan.hpp"

namespace flashbias::codegen {

/// The text that takes the place of templates/hopper/products.cuh: wgmma instructions of the plan's shapes. Their
/// accumulators are operands one by one, which no template can count.
[[nodiscard]] std::string emit_products(const KernelPlan& plan);

/// The same of the backward pass, whose sums have as many columns as the operands, and as the factors of the bias.
[[nodiscard]] std::string emit_backward_products(const KernelPlan& plan, const std::vector<FactorTerm>& factors);

/// Whether the bias has a slope that the tensor cores multiply.
[[nodiscard]] bool multiplies_slope(const KernelPlan& plan);

/// Whether one product takes the values together with the ones that sum probabilities: where values fill the strips of
/// columns that wgmma reads, and a single one. Apart, eight columns take 13 cycles; together 4.
[[nodiscard]] bool ones_behind_values(int head_dim_v);

}  // namespace flashbias::codegen
