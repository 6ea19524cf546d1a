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

}  // namespace flashbias::codegen
