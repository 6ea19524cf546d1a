#pragma once

#include "runtime/driver.hpp"
#include "runtime/launch.hpp"

namespace flashbias::runtime {

/// Completes the launch of a kernel with the main loop for Hopper: writes the descriptors by which the copy engine
/// reads q, k, v, supplied factors and dense inputs to the head of its parameters. Throws Error(invalid_argument) for
/// strides that the engine cannot take, Error(cuda) if the driver refuses.
void encode_tensor_maps(const Driver& driver, const KernelPlan& plan, const AttentionArguments& arguments,
                        LaunchPlan& launch);

/// The same for gradients: also of d_out.
void encode_tensor_maps(const Driver& driver, const KernelPlan& plan, const BackwardArguments& arguments,
                        LaunchPlan& launch);

}  // namespace flashbias::runtime
