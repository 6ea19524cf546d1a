#pragma once

#include "runtime/cuda_types.hpp"

namespace flashbias::runtime {

/// The device of this thread's CUDA context. A thread without one gets the primary context of device 0, which stays
/// retained until the process ends. Throws Error(driver_missing), Error(cuda).
CUdevice ensure_context();

}  // namespace flashbias::runtime
