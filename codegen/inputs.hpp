#pragma once

#include <vector>

#include "flashbias/bias.hpp"
#include "flashbias/plan.hpp"

namespace flashbias::codegen {

/// Whether an operation reads a tensor that is bound at launch.
[[nodiscard]] bool is_input(Op op) noexcept;

/// Whether a tensor of this type holds real numbers, not integers.
[[nodiscard]] bool is_real(DType dtype) noexcept;

/// What an input expression asks of its tensor; one of no dtype of its own has `dtype_of_q`.
[[nodiscard]] InputSpec input_spec(const Expr& input, DType dtype_of_q);

/// The tensors that a bias reads, in the order in which they first appear in its text; those of no dtype of their own
/// have `dtype_of_q`. Throws Error(invalid_config) where one name stands for two different inputs.
[[nodiscard]] std::vector<InputSpec> collect_inputs(const Expr& bias, DType dtype_of_q);

}  // namespace flashbias::codegen
