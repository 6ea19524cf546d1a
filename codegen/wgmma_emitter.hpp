#pragma once

#include <string>

#include "flashbias/plan.hpp"

namespace flashbias::codegen {

/// The text that takes the place of templates/hopper/products.cuh: wgmma instructions of the plan's shapes. Their
/// accumulators are operands one by one, which no template can count.
[[nodiscard]] std::string emit_products(const KernelPlan& plan);

}  // namespace flashbias::codegen
