#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "flashbias/config.hpp"
#include "flashbias/plan.hpp"

namespace flashbias::codegen {

/// What the gradients of a backward config are computed of: each of q, k and v that is asked for, and inputs of the
/// bias, in the order of their names.
struct GradientNames {
  bool q = false, k = false, v = false;
  std::vector<InputSpec> inputs;
};

[[nodiscard]] GradientNames gradient_names(const AttentionConfig& config);

/// Whether the gradient of that name, of an operand or an input, is asked for.
[[nodiscard]] bool wants_gradient(const AttentionConfig& config, std::string_view name);

/// The forward pass whose output and log-sum-exp a backward pass reads.
[[nodiscard]] AttentionConfig forward_of(AttentionConfig config);

/// Throws Error(invalid_config) for names that are not known, given twice, or of what has no gradient.
void validate_gradients(const AttentionConfig& config);

}  // namespace flashbias::codegen
