#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "codegen/parameters.hpp"
#include "flashbias/kernel.hpp"
#include "flashbias/plan.hpp"
#include "runtime/cuda_types.hpp"
#include "runtime/kernel_role.hpp"

namespace flashbias::runtime {

/// What one cuLaunchKernel call is given beside parameters.
struct LaunchStep {
  KernelRole role = KernelRole::attention;
  std::uint32_t blocks = 0;  ///< 0: nothing to compute
  std::uint32_t threads = 0;
  std::uint32_t shared_bytes = 0;
  std::uint32_t first_block = 0;  ///< of those of the kernel: see set_first_block
};

/// What calls that follow each other are given: made on the host alone, from arguments that have all been checked.
struct LaunchPlan {
  std::array<LaunchStep, 4> steps{};
  std::size_t workspace_bytes = 0;      ///< for as long as the launch takes
  std::size_t workspace_parameter = 0;  ///< where its address goes
  std::size_t parameter_bytes = 0;
  alignas(
      64) std::array<std::byte, codegen::kMaxParameterBytes> parameters;  ///< as codegen/parameters.hpp lays them out
};

/// Checks the arguments of a launch on `device` against the kernel's plan and packs its parameters.
/// Throws Error(invalid_argument) that names the argument, what it is, and what it must be.
[[nodiscard]] LaunchPlan prepare_launch(const KernelPlan& plan, const AttentionArguments& arguments, int device);

/// The same for gradients.
[[nodiscard]] LaunchPlan prepare_backward_launch(const KernelPlan& plan, const BackwardArguments& arguments,
                                                 int device);

/// Tells a launch where its workspace is.
void set_workspace(LaunchPlan& launch, CUdeviceptr workspace);

/// Tells a launch of the backward pass with which block a step begins.
void set_first_block(LaunchPlan& launch, std::uint32_t block);

}  // namespace flashbias::runtime
