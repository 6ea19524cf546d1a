#pragma once

#include "flashbias/plan.hpp"

namespace flashbias::codegen {

/// Completes a plan whose config is valid and resolved, of the backward direction.
void plan_backward(KernelPlan& plan);

}  // namespace flashbias::codegen
