#pragma once

#include <cstdint>

#include "flashbias/types.hpp"
#include "runtime/driver.hpp"

/// CUDA devices by ordinal.
namespace flashbias::runtime {

/// Device of the current context; 0 where this thread has no context. Throws Error(cuda).
[[nodiscard]] CUdevice current_device(const Driver& driver);

/// Device of the current context. Throws Error(cuda) that tells how to get one where there is none.
[[nodiscard]] CUdevice launch_device(const Driver& driver);

/// The architecture whose cubins a device runs. Throws Error(unsupported_device) for a GPU older than Ampere.
[[nodiscard]] Arch arch_of(const Driver& driver, CUdevice device);

/// Multiprocessors of a device that is known to be there.
[[nodiscard]] std::uint32_t multiprocessors_of(const Driver& driver, CUdevice device);

/// Throws Error(unsupported_device) naming both unless the device runs cubins of this architecture: the same major
/// compute capability, and no higher a minor one than the device's.
void require_runnable(const Driver& driver, CUdevice device, Arch arch);

}  // namespace flashbias::runtime
