#pragma once

#include <string>

#include "codegen/bias_program.hpp"
#include "flashbias/plan.hpp"

namespace flashbias::codegen {

/// The text that takes the place of templates/bias.cuh: the struct Bias that does what the program says, and the
/// templates that it is made of.
[[nodiscard]] std::string emit_bias(const KernelPlan& plan, const BiasProgram& program);

}  // namespace flashbias::codegen
