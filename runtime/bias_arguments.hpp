#pragma once

#include <span>

#include "flashbias/kernel.hpp"
#include "runtime/parameter_writer.hpp"
#include "runtime/problem_sizes.hpp"

namespace flashbias::runtime {

/// Appends what the kernel is told of each input of the bias. Throws Error(invalid_argument) unless exactly those of
/// the plan are given, and fit it.
void append_bias_inputs(ParameterWriter& parameters, const KernelPlan& plan, std::span<const BiasInput> inputs,
                        const ProblemSizes& sizes, int device);

/// The first input of that name; nullptr if there is none.
[[nodiscard]] const BiasInput* find_input(std::span<const BiasInput> inputs, std::string_view name);

}  // namespace flashbias::runtime
