#include "flashbias/kernel.hpp"

#include <algorithm>
#include <optional>

#include "codegen/backward_planner.hpp"
#include "runtime/device.hpp"
#include "runtime/kernel_impl.hpp"
#include "runtime/launch.hpp"
#include "runtime/problem_sizes.hpp"
#include "runtime/tensor_maps.hpp"
#include "runtime/workspace.hpp"

namespace flashbias {
namespace {

void zero_input_gradients(const runtime::Driver& driver, const KernelPlan& plan,
                          std::span<const GradientOutput> gradients, CUstream_st* stream) {
  for (const InputSpec& input : plan.input_gradients) {
    const auto gradient = std::ranges::find(gradients, input.name, &GradientOutput::name);
    const std::size_t bytes = runtime::size_in_bytes(gradient->tensor);
    if (bytes > 0)
      driver.check(
          driver.cuMemsetD8Async(reinterpret_cast<runtime::CUdeviceptr>(gradient->tensor.data), 0, bytes, stream),
          "zero the gradient of a bias input");
  }
}

}  // namespace

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
  const bool has_work = launch.steps.front().blocks > 0;
  // Whatever may refuse comes before the first write.
  loaded.prepare_for(device);
  if (has_work && impl_->plan.main_loop == MainLoop::hopper)
    runtime::encode_tensor_maps(driver, impl_->plan, arguments, launch);
  std::optional<runtime::Workspace> workspace;
  if (has_work && launch.workspace_bytes > 0) {
    workspace.emplace(driver, device, launch.workspace_bytes, codegen::has_exact_sums(impl_->plan), stream);
    runtime::set_workspace(launch, workspace->address());
  }
  zero_input_gradients(driver, impl_->plan, arguments.gradients, stream);
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
