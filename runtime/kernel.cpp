#include "flashbias/kernel.hpp"

#include "runtime/device.hpp"
#include "runtime/kernel_impl.hpp"
#include "runtime/launch.hpp"

namespace flashbias {

void Kernel::launch(const AttentionArguments& arguments, CUstream_st* stream) const {
  const runtime::LoadedKernel& loaded = impl_->loaded;
  const runtime::CUdevice device = runtime::launch_device(loaded.driver());
  const runtime::LaunchPlan launch = runtime::prepare_launch(impl_->plan, arguments, device);
  if (launch.blocks != 0) loaded.launch(launch, device, stream);
}

const KernelPlan& Kernel::plan() const noexcept { return impl_->plan; }

const KernelResources& Kernel::resources() const noexcept { return impl_->resources; }

std::string_view Kernel::key() const noexcept { return impl_->key; }

}  // namespace flashbias
