#pragma once

#include <cstddef>

#include "runtime/driver.hpp"

namespace flashbias::runtime {

/// Memory for launches that follow on a stream: given back in its order when this goes out of scope. It comes
/// from a pool of the device that keeps what it once had until the process ends, so that only growing takes the driver
/// long.
class Workspace {
 public:
  /// Throws Error(cuda) that tells what helps: `has_exact_sums` says whether leaving them out may.
  Workspace(const Driver& driver, CUdevice device, std::size_t bytes, bool has_exact_sums, CUstream stream);
  ~Workspace();
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;

  [[nodiscard]] CUdeviceptr address() const { return address_; }

 private:
  const Driver& driver_;
  CUstream stream_;
  CUdeviceptr address_ = 0;
};

}  // namespace flashbias::runtime
