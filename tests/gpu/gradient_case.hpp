#pragma once

#include <vector>

#include "flashbias/reference.hpp"
#include "tests/gpu/attention_case.hpp"

namespace flashbias::testing {

/// Runs forward and backward on the GPU: the errors of all gradients that the config (direction=backward) asks for.
[[nodiscard]] std::vector<reference::GradientError> run_gradients(const AttentionCase& attention);

/// Whether so many runs of a backward pass on the same tensors give the same bits.
[[nodiscard]] bool gradients_repeat(const AttentionCase& attention, int times);

/// Runs all and checks every gradient against the bar.
void check_gradients(const std::vector<AttentionCase>& cases);

}  // namespace flashbias::testing
