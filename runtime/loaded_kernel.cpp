#include "runtime/loaded_kernel.hpp"

#include <fmt/format.h>

#include <array>

#include "codegen/backward_planner.hpp"
#include "flashbias/source.hpp"
#include "runtime/device.hpp"

namespace flashbias::runtime {
namespace {

std::size_t device_count(const Driver& driver) {
  int count = 0;
  driver.check(driver.cuDeviceGetCount(&count), "count the CUDA devices");
  return static_cast<std::size_t>(count);
}

std::string description_of(const Driver& driver) {
  int version = 0;
  if (driver.cuDriverGetVersion(&version) != CUDA_SUCCESS) return driver.path().string();
  return fmt::format("the driver of CUDA {}.{} ({})", version / 1000, version % 1000 / 10, driver.path().string());
}

/// By role; null where the source of the plan has no such kernel.
std::array<const char*, kKernelRoles> kernel_names(const KernelPlan& plan) {
  const AttentionConfig& config = plan.config;
  return {kernel_name(config.direction), config.direction == Direction::backward ? kStatisticsKernelName : nullptr,
          codegen::adds_to_queries(plan) || codegen::has_exact_sums(plan) ? kSumsKernelName : nullptr};
}

}  // namespace

LoadedKernel::LoadedKernel(const Driver& driver, std::span<const std::byte> image, const KernelPlan& plan)
    : driver_(driver), arch_(plan.config.arch), shared_bytes_(plan.shared_bytes), prepared_(device_count(driver)) {
  driver_.check(driver_.cuLibraryLoadData(&library_, image.data(), nullptr, nullptr, 0, nullptr, nullptr, 0),
                "load a cubin into " + description_of(driver_));
  const std::array<const char*, kKernelRoles> names = kernel_names(plan);
  for (std::size_t role = 0; role < names.size(); ++role) {
    if (names[role] == nullptr) continue;
    const CUresult found = driver_.cuLibraryGetKernel(&kernels_[role], library_, names[role]);
    if (found == CUDA_SUCCESS) continue;
    driver_.cuLibraryUnload(library_);
    driver_.check(found, fmt::format("find the kernel {} in its cubin", names[role]));
  }
}

LoadedKernel::~LoadedKernel() { driver_.cuLibraryUnload(library_); }

void LoadedKernel::prepare_for(CUdevice device) const {
  std::atomic<bool>& prepared = prepared_.at(static_cast<std::size_t>(device));
  if (prepared.load(std::memory_order_acquire)) [[likely]]
    return;
  require_runnable(driver_, device, arch_);
  driver_.check(driver_.cuKernelSetAttribute(CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, shared_bytes_,
                                             kernels_.front(), device),
                fmt::format("give the kernel {} bytes of shared memory on device {}", shared_bytes_, device));
  prepared.store(true, std::memory_order_release);
}

void LoadedKernel::launch(const LaunchPlan& launch, const LaunchStep& step, CUdevice device, CUstream stream) const {
  prepare_for(device);
  // The driver reads the parameters only; its declaration predates const.
  std::array<void*, 1> parameters{const_cast<std::byte*>(launch.parameters.data())};
  const CUkernel kernel = kernels_.at(static_cast<std::size_t>(step.role));
  driver_.check(driver_.cuLaunchKernel(reinterpret_cast<CUfunction>(kernel), step.blocks, 1, 1, step.threads, 1, 1,
                                       step.shared_bytes, stream, parameters.data(), nullptr),
                "launch the kernel");
}

}  // namespace flashbias::runtime
