#include "codegen/gradients.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "codegen/inputs.hpp"
#include "flashbias/error.hpp"

namespace flashbias::codegen {
namespace {

bool is_operand(const std::string& name) { return name == "q" || name == "k" || name == "v"; }

std::vector<InputSpec> sorted_inputs(const AttentionConfig& config) {
  std::vector<InputSpec> inputs = collect_inputs(config.bias, config.dtype);
  std::ranges::sort(inputs, {}, &InputSpec::name);
  return inputs;
}

[[noreturn]] void reject_gradients(const std::string& problem) {
  throw Error(ErrorCode::invalid_config, "gradients: " + problem);
}

}  // namespace

bool wants_gradient(const AttentionConfig& config, std::string_view name) {
  return config.gradients.empty() || std::ranges::find(config.gradients, name) != config.gradients.end();
}

AttentionConfig forward_of(AttentionConfig config) {
  config.direction = Direction::forward;
  config.log_sum_exp = true;
  config.gradients.clear();
  config.deterministic = false;
  return config;
}

GradientNames gradient_names(const AttentionConfig& config) {
  const auto wants = [&](std::string_view name) { return wants_gradient(config, name); };
  GradientNames names{.q = wants("q"), .k = wants("k"), .v = wants("v"), .inputs = {}};
  for (const InputSpec& input : sorted_inputs(config))
    if (is_real(input.dtype) && wants(input.name)) names.inputs.push_back(input);
  return names;
}

void validate_gradients(const AttentionConfig& config) {
  const std::vector<InputSpec> inputs = sorted_inputs(config);
  std::vector<std::string> known = {"q", "k", "v"};
  for (const InputSpec& input : inputs) {
    if (is_operand(input.name))
      reject_gradients(fmt::format(
          "the bias has an input of the name '{}', which is also that of an operand; give it another", input.name));
    if (is_real(input.dtype)) known.push_back(input.name);
  }
  for (std::size_t i = 0; i < config.gradients.size(); ++i) {
    const std::string& name = config.gradients[i];
    const auto input = std::ranges::find(inputs, name, &InputSpec::name);
    if (input != inputs.end() && !is_real(input->dtype))
      reject_gradients(fmt::format("'{}' is an input of {}, and only real numbers have gradients: those of {}", name,
                                   to_string(input->dtype), fmt::join(known, ", ")));
    if (input == inputs.end() && !is_operand(name))
      reject_gradients(fmt::format("there is no '{}'; there are those of {}", name, fmt::join(known, ", ")));
    if (std::find(config.gradients.begin(), config.gradients.begin() + static_cast<std::ptrdiff_t>(i), name) !=
        config.gradients.begin() + static_cast<std::ptrdiff_t>(i))
      reject_gradients(fmt::format("'{}' is named twice", name));
  }
}

}  // namespace flashbias::codegen
