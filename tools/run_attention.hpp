#pragma once

#include <optional>

#include "flashbias/kernel.hpp"
#include "flashbias/reference.hpp"
#include "tools/attention_problem.hpp"

/// One attention call on the GPU: computed, timed, checked.
namespace flashbias::tools {

/// In 10^12: of the two matrix products of the forward pass, for the scores below the diagonal of a causal mask: half
/// of them where there are as many queries as keys.
[[nodiscard]] double tera_operations(const AttentionConfig& config, const Shape& shape);

struct AttentionRun {
  HostTensor out;                         ///< [B, Nq, H, Dv]
  std::optional<HostTensor> log_sum_exp;  ///< f32 [B, H, Nq], where the config asks for it
  double milliseconds = 0;                ///< median of several launches
  double tflops = 0;                      ///< tera_operations a second
};

/// Output memory is filled with NaN first, so that what the kernel leaves out does not go unseen.
[[nodiscard]] AttentionRun run_attention(const Kernel& kernel, const AttentionProblem& problem, float softmax_scale);

/// How far a run is from float64, over rows spread evenly over all of them (or all, where there are few).
struct AttentionCheck {
  reference::ErrorReport out;
  std::optional<double> log_sum_exp_error;  ///< largest, relative to max(1, |exact|)
  std::size_t rows = 0;

  /// Error of at most 1.5 times that of rounding the exact output to its dtype.
  [[nodiscard]] bool passed() const;
};

[[nodiscard]] AttentionCheck check_attention(const AttentionConfig& config, const AttentionProblem& problem,
                                             float softmax_scale, const AttentionRun& run);

}  // namespace flashbias::tools
