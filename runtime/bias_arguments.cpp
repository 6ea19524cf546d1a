#include "runtime/bias_arguments.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "flashbias/error.hpp"
#include "runtime/argument_checks.hpp"
#include "runtime/bias_tensors.hpp"

namespace flashbias::runtime {
namespace {

std::string names_of_inputs(const KernelPlan& plan) {
  if (plan.inputs.empty()) return "none";
  std::string names;
  for (const InputSpec& spec : plan.inputs) names += fmt::format("{}'{}'", names.empty() ? "" : ", ", spec.name);
  return names;
}

[[noreturn, gnu::cold]] void reject_missing(const KernelPlan& plan, std::string_view name) {
  throw Error(ErrorCode::invalid_argument,
              fmt::format("bias input '{}' is missing; the bias reads {}", name, names_of_inputs(plan)));
}

/// Names an input that was not bound: more are given than the bias reads, and all that it reads are there.
[[noreturn, gnu::cold]] void reject_surplus(const KernelPlan& plan, std::span<const BiasInput> inputs) {
  const auto reads = [&](std::string_view name) {
    return std::ranges::find(plan.inputs, name, &InputSpec::name) != plan.inputs.end();
  };
  const auto surplus = std::ranges::find_if(
      inputs, [&](const BiasInput& input) { return !reads(input.name) || find_input(inputs, input.name) != &input; });
  throw Error(ErrorCode::invalid_argument, reads(surplus->name)
                                               ? fmt::format("bias input '{}' is given twice", surplus->name)
                                               : fmt::format("bias input '{}' is not read by the bias, which reads {}",
                                                             surplus->name, names_of_inputs(plan)));
}

}  // namespace

const BiasInput* find_input(std::span<const BiasInput> inputs, std::string_view name) {
  for (const BiasInput& input : inputs) {
    if (input.name == name) return &input;
  }
  return nullptr;
}

void append_bias_inputs(ParameterWriter& parameters, const KernelPlan& plan, std::span<const BiasInput> inputs,
                        const ProblemSizes& sizes, int device) {
  for (const InputSpec& spec : plan.inputs) {
    const BiasInput* input = find_input(inputs, spec.name);
    if (input == nullptr) [[unlikely]]
      reject_missing(plan, spec.name);
    if (input->tensor.device != device) [[unlikely]] {
      require_device(fmt::format("bias input '{}'", spec.name), input->tensor, device);
    }
    const BiasStrides strides = bind_bias_tensor(spec, input->tensor, sizes);
    parameters.append(input->tensor.data, strides.batch, strides.head, strides.row);
  }
  if (inputs.size() != plan.inputs.size()) [[unlikely]]
    reject_surplus(plan, inputs);
}

}  // namespace flashbias::runtime
