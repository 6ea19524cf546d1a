#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "flashbias/types.hpp"
#include "runtime/driver.hpp"
#include "runtime/launch.hpp"

namespace flashbias::runtime {

/// The kernels of a cubin, loaded independently of any context; unloaded when the object goes.
class LoadedKernel {
 public:
  /// Throws Error(cuda).
  LoadedKernel(const Driver& driver, std::span<const std::byte> image, const KernelPlan& plan);
  LoadedKernel(const LoadedKernel&) = delete;
  LoadedKernel& operator=(const LoadedKernel&) = delete;
  ~LoadedKernel();

  /// Allows the kernel of attention its dynamic shared memory on a device; the first time counts. Launches do so
  /// themselves. Throws Error(unsupported_device), Error(cuda).
  void prepare_for(CUdevice device) const;

  /// Enqueues a step of a launch on a stream of the current context, which is on `device`. Throws as prepare_for does.
  void launch(const LaunchPlan& launch, const LaunchStep& step, CUdevice device, CUstream stream) const;

  [[nodiscard]] const Driver& driver() const noexcept { return driver_; }

 private:
  const Driver& driver_;
  Arch arch_;
  int shared_bytes_;
  CUlibrary library_ = nullptr;
  std::array<CUkernel, kKernelRoles> kernels_{};     ///< by role; null where the source has none
  mutable std::vector<std::atomic<bool>> prepared_;  ///< by device
};

}  // namespace flashbias::runtime
