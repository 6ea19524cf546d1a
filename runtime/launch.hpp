#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "flashbias/kernel.hpp"
#include "flashbias/plan.hpp"

namespace flashbias::runtime {

/// What one cuLaunchKernel call is given: made on the host alone, from arguments that have all been checked.
struct LaunchPlan {
  /// Kernel parameters of every CUDA version fit in 4 KiB.
  static constexpr std::size_t kMaxParameterBytes = 4096;

  std::uint32_t blocks = 0;  ///< 0: nothing to compute
  /// Blocks of launches that follow each other; one launch has all where there are none.
  std::array<std::uint32_t, 3> phases{};
  std::uint32_t threads = 0;
  std::uint32_t shared_bytes = 0;
  std::size_t workspace_bytes = 0;      ///< of zeros, for as long as the launch takes
  std::size_t workspace_parameter = 0;  ///< where its address goes
  std::size_t parameter_bytes = 0;
  alignas(64) std::array<std::byte, kMaxParameterBytes> parameters;  ///< as codegen/parameters.hpp lays them out
};

/// Checks the arguments of a launch on `device` against the kernel's plan and packs its parameters.
/// Throws Error(invalid_argument) that names the argument, what it is, and what it must be.
[[nodiscard]] LaunchPlan prepare_launch(const KernelPlan& plan, const AttentionArguments& arguments, int device);

/// The same for gradients.
[[nodiscard]] LaunchPlan prepare_backward_launch(const KernelPlan& plan, const BackwardArguments& arguments,
                                                 int device);

/// Tells a launch where its workspace is.
void set_workspace(LaunchPlan& launch, const void* workspace);

/// Makes a launch that of a phase, which begins with that block.
void set_first_block(LaunchPlan& launch, std::uint32_t block);

}  // namespace flashbias::runtime
