#include "flashbias/kernel.hpp"

#include <algorithm>
#include <optional>

#include "runtime/device.hpp"
#include "runtime/kernel_impl.hpp"
#include "runtime/launch.hpp"
#include "runtime/problem_sizes.hpp"
#include "runtime/tensor_maps.hpp"
#include "runtime/workspace.hpp"

namespace flashbias {

void Kernel::launch(const AttentionArguments& arguments, CUstream_st* stream) const {
  const runtime::LoadedKernel& loaded = impl_->loaded;
  const runtime::CUdevice device = runtime::launch_device(loaded.driver());
  runtime::LaunchPlan launch = runtime::prepare_launch(impl_->plan, arguments, device);
  runtime::LaunchStep& step = launch.steps.front();
  if (step.blocks == 0) return;
  if (impl_->plan.main_loop == MainLoop::hopper) {
    runtime::encode_tensor_maps(loaded.driver(), impl_->plan, arguments, launch);
    step.blocks = std::min(step.blocks, runtime::multiprocessors_of(loaded.driver(), device));
  }
  loaded.launch(launch, step, device, stream);
}

void Kernel::launch_backward(const BackwardArguments& arguments, CUstream_st* stream) const {
  const runtime::LoadedKernel& loaded = impl_->loaded;
  const runtime::Driver& driver = loaded.driver();
  const runtime::CUdevice device = runtime::launch_device(driver);
  runtime::LaunchPlan launch = runtime::prepare_backward_launch(impl_->plan, arguments, device);
  for (const InputSpec& input : impl_->plan.input_gradients) {
    const auto gradient = std::ranges::find(arguments.gradients, input.name, &GradientOutput::name);
    const std::size_t bytes = runtime::size_in_bytes(gradient->tensor);
    if (bytes > 0)
      driver.check(
          driver.cuMemsetD8Async(reinterpret_cast<runtime::CUdeviceptr>(gradient->tensor.data), 0, bytes, stream),
          "zero the gradient of a bias input");
  }
  if (launch.steps.front().blocks == 0) return;
  if (impl_->plan.main_loop == MainLoop::hopper) runtime::encode_tensor_maps(driver, impl_->plan, arguments, launch);
  std::optional<runtime::Workspace> workspace;
  if (launch.workspace_bytes > 0) {
    workspace.emplace(driver, device, launch.workspace_bytes, stream);
    runtime::set_workspace(launch, workspace->address());
  }
  for (const runtime::LaunchStep& step : launch.steps) {
    if (step.blocks == 0) break;
    runtime::set_first_block(launch, step.first_block);
    loaded.launch(launch, step, device, stream);
  }
}

const KernelPlan& Kernel::plan() const noexcept { return impl_->plan; }

const KernelResources& Kernel::resources() const noexcept { return impl_->resources; }

std::string_view Kernel::key() const noexcept { return impl_->key; }

}  // namespace flashbias
