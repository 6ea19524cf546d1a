#pragma once

#include <vector>

#include "flashbias/kernel.hpp"
#include "flashbias/reference.hpp"
#include "tools/run_attention.hpp"

/// The gradients of one attention call on the GPU: computed, timed, checked.
namespace flashbias::tools {

struct GradientsRun {
  AttentionRun forward;     ///< whose output and log-sum-exp the gradients are computed from
  NamedTensors gradients;   ///< of q, k and v in their dtype, of inputs of the bias in f32
  double milliseconds = 0;  ///< median of several launches
  double tflops = 0;        ///< 2.5 times the forward pass' operations a second: five matrix products for its two
};

/// Runs the forward pass of the kernel's config, which may compile, then the kernel. As in run_attention, memory for
/// results is filled with NaN first.
[[nodiscard]] GradientsRun run_gradients(const Kernel& kernel, const AttentionProblem& problem, const HostTensor& d_out,
                                         float softmax_scale);

/// How far a run is from float64, all of it: each score is computed twice on the CPU.
struct GradientsCheck {
  std::vector<reference::GradientError> errors;

  /// Each is accepted.
  [[nodiscard]] bool passed() const;
  [[nodiscard]] double largest_ratio() const;  ///< NaN where one is
};

[[nodiscard]] GradientsCheck check_gradients(const AttentionConfig& config, const AttentionProblem& problem,
                                             const HostTensor& d_out, float softmax_scale, const GradientsRun& run);

}  // namespace flashbias::tools
