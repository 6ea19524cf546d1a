#pragma once

#include <string>

#include "flashbias/plan.hpp"

namespace flashbias {

/// Name of the kernel in a generated source (extern "C") that does the work.
[[nodiscard]] constexpr const char* kernel_name(Direction direction) noexcept {
  return direction == Direction::forward ? "flashbias_forward" : "flashbias_backward";
}

/// In a source of the backward pass, what finds the statistics of query rows before that ...
inline constexpr const char* kStatisticsKernelName = "flashbias_backward_statistics";
/// ... and, where gradients are added up in the workspace, what makes gradients of the sums behind it.
inline constexpr const char* kSumsKernelName = "flashbias_backward_sums";

/// A self-contained CUDA translation unit.
struct KernelSource {
  std::string text;
};

/// Writes the kernel that the plan describes. Pure: the same plan gives the same bytes.
[[nodiscard]] KernelSource emit(const KernelPlan& plan);

/// Source text laid out by LLVM's clang-format library, which is loaded on the first call.
struct FormattedSource {
  std::string text;
  bool formatted = false;
  std::string why_not;  ///< where not formatted: what is missing and how to get it
};
[[nodiscard]] FormattedSource format_source(const KernelSource& source);

}  // namespace flashbias
