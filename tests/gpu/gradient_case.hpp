#pragma once

#include <string>
#include <vector>

#include "tests/gpu/attention_case.hpp"

namespace flashbias::testing {

/// How far one gradient is from float64.
struct GradientError {
  std::string name;
  double error = 0;  ///< ||gradient - exact||
  /// What 16 bits cost whoever computes it: that of rounding the exact gradient to the dtype of q, or of a change of
  /// d_out that is as small as its rounding, whichever is larger. What is a small rest of large terms suffers from it.
  double inevitable = 0;
  [[nodiscard]] double ratio() const { return inevitable > 0 ? error / inevitable : error; }
};

/// Runs forward and backward on the GPU: the errors of all gradients that the config (direction=backward) asks for.
[[nodiscard]] std::vector<GradientError> run_gradients(const AttentionCase& attention);

/// Runs all and checks every gradient against the bar.
void check_gradients(const std::vector<AttentionCase>& cases);

}  // namespace flashbias::testing
