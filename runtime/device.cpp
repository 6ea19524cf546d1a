#include "runtime/device.hpp"

#include <fmt/format.h>

#include <array>
#include <vector>

#include "flashbias/error.hpp"

namespace flashbias::runtime {
namespace {

/// Of compute capability `major.minor`.
struct DeviceFacts {
  int major = 0;
  int minor = 0;
  int multiprocessors = 0;
};

std::vector<DeviceFacts> query_facts(const Driver& driver) {
  int count = 0;
  driver.check(driver.cuDeviceGetCount(&count), "count the CUDA devices");
  std::vector<DeviceFacts> facts(static_cast<std::size_t>(count));
  for (int device = 0; device < count; ++device) {
    auto& [major, minor, multiprocessors] = facts[static_cast<std::size_t>(device)];
    driver.check(driver.cuDeviceGetAttribute(&major, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, device),
                 "read a device's compute capability");
    driver.check(driver.cuDeviceGetAttribute(&minor, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, device),
                 "read a device's compute capability");
    driver.check(driver.cuDeviceGetAttribute(&multiprocessors, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, device),
                 "count a device's multiprocessors");
  }
  return facts;
}

/// Asked of the driver once a process.
const DeviceFacts& facts_of(const Driver& driver, CUdevice device) {
  static const std::vector<DeviceFacts> facts = query_facts(driver);
  if (device < 0 || static_cast<std::size_t>(device) >= facts.size()) {
    throw Error(ErrorCode::unsupported_device,
                fmt::format("there is no CUDA device {}; there are {}", device, facts.size()));
  }
  return facts[static_cast<std::size_t>(device)];
}

std::string name_of(const Driver& driver, CUdevice device) {
  std::array<char, 256> name{};
  const bool known = driver.cuDeviceGetName(name.data(), static_cast<int>(name.size()), device) == CUDA_SUCCESS;
  return known ? name.data() : "unnamed";
}

}  // namespace

CUdevice current_device(const Driver& driver) {
  // Without a context cuCtxGetDevice fails, and failing takes CUDA 13.0's driver 820 ns; both calls together take 17.
  CUcontext context = nullptr;
  driver.check(driver.cuCtxGetCurrent(&context), "find the current context");
  if (context == nullptr) return 0;
  CUdevice device = 0;
  driver.check(driver.cuCtxGetDevice(&device), "find the device of the current context");
  return device;
}

CUdevice launch_device(const Driver& driver) {
  CUdevice device = 0;
  const CUresult result = driver.cuCtxGetDevice(&device);
  if (result == CUDA_ERROR_INVALID_CONTEXT) [[unlikely]] {
    throw Error(ErrorCode::cuda,
                "no CUDA context is current in this thread: select a device first (cudaSetDevice, torch.cuda.init or "
                "cuCtxSetCurrent)");
  }
  driver.check(result, "find the device of the current context");
  return device;
}

Arch arch_of(const Driver& driver, CUdevice device) {
  const DeviceFacts& facts = facts_of(driver, device);
  return arch_of_device(facts.major, facts.minor);
}

std::uint32_t multiprocessors_of(const Driver& driver, CUdevice device) {
  return static_cast<std::uint32_t>(facts_of(driver, device).multiprocessors);
}

void require_runnable(const Driver& driver, CUdevice device, Arch arch) {
  const auto& [major, minor, multiprocessors] = facts_of(driver, device);
  if (arch.compute_capability / 10 == major && arch.compute_capability % 10 <= minor) return;
  throw Error(
      ErrorCode::unsupported_device,
      fmt::format("a kernel for {} does not run on device {} ({}, compute capability {}.{}); set arch to current, "
                  "or select another device",
                  to_string(arch), device, name_of(driver, device), major, minor));
}

}  // namespace flashbias::runtime
