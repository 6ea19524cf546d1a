#include "tools/device_tensors.hpp"

namespace flashbias::tools {

DeviceBuffer upload(const HostTensor& tensor) { return {tensor.data.data(), tensor.data.size()}; }

DeviceBuffer poisoned(const HostTensor& result) {
  DeviceBuffer memory(result.data.size());
  memory.fill(0xff);
  return memory;
}

TensorView on_device(const HostTensor& tensor, const DeviceBuffer& memory) {
  TensorView view = tensor.view();
  view.data = memory.data();
  view.device = 0;
  return view;
}

DeviceInputs::DeviceInputs(const AttentionProblem& problem) {
  for (const auto& [name, tensor] : problem.inputs) {
    memory.push_back(upload(tensor));
    views.push_back({.name = name, .tensor = on_device(tensor, memory.back())});
  }
}

}  // namespace flashbias::tools
