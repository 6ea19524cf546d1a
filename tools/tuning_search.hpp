#pragma once

#include <string>
#include <vector>

#include "flashbias/config.hpp"
#include "flashbias/jit.hpp"
#include "tools/attention_problem.hpp"

/// What `flashbias tune` measures: every lowering that a config may have, then other tiles for the fastest of them.
namespace flashbias::tools {

/// A config with its lowering or tile forced, and what came of it.
struct TuningCandidate {
  AttentionConfig config;
  double predicted = 0;     ///< instructions a score of the bias; 0 where the terms left no choice
  double milliseconds = 0;  ///< 0: not measured
  double error_ratio = 0;   ///< to that of rounding the exact output
  bool passed = false;
  std::string problem;
};

struct Tuning {
  std::string name;
  Shape shape;
  std::vector<TuningCandidate> candidates;  ///< the planner's own choice first

  /// The fastest of those that passed; where none did, one of the others.
  [[nodiscard]] const TuningCandidate& best() const;
  [[nodiscard]] bool is_best(const TuningCandidate& candidate) const {
    return candidate.passed && &candidate == &best();
  }
};

/// Measures a config on the current GPU at these sizes; each output is checked before it is timed. What does not
/// compile, launch or pass is among the candidates, with its problem. Throws Error for a config that has no plan.
[[nodiscard]] Tuning tune(const std::string& name, const AttentionConfig& config, const Shape& shape,
                          bool lowerings_only, jit::KernelCache& cache);

/// `B=2 H=16 N=4096x4096`.
[[nodiscard]] std::string shape_text(const Shape& shape);

}  // namespace flashbias::tools
