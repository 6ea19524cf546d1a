#pragma once

#include <vector>

#include "flashbias/device_buffer.hpp"
#include "flashbias/kernel.hpp"
#include "tools/attention_problem.hpp"

/// Host tensors in GPU memory, for one launch.
namespace flashbias::tools {

[[nodiscard]] DeviceBuffer upload(const HostTensor& tensor);

/// Memory for a result, filled with NaN, so that what a kernel leaves out does not go unseen.
[[nodiscard]] DeviceBuffer poisoned(const HostTensor& result);

/// The tensor's sizes on memory that holds its copy.
[[nodiscard]] TensorView on_device(const HostTensor& tensor, const DeviceBuffer& memory);

/// A problem's bias inputs.
struct DeviceInputs {
  std::vector<DeviceBuffer> memory;
  std::vector<BiasInput> views;

  explicit DeviceInputs(const AttentionProblem& problem);
};

}  // namespace flashbias::tools
