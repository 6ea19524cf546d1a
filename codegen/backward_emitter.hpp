#pragma once

#include <string>

#include "flashbias/plan.hpp"

namespace flashbias::codegen {

/// The source of a plan of the backward direction, without the comment at its top.
[[nodiscard]] std::string emit_backward(const KernelPlan& plan);

}  // namespace flashbias::codegen
