#include "runtime/context.hpp"

#include "runtime/driver.hpp"

namespace flashbias::runtime {
namespace {

CUcontext retain_primary_context(const Driver& driver) {
  CUdevice device = 0;
  driver.check(driver.cuDeviceGet(&device, 0), "open GPU 0");
  CUcontext context = nullptr;
  driver.check(driver.cuDevicePrimaryCtxRetain(&context, device), "make a context on GPU 0");
  return context;
}

}  // namespace

CUdevice ensure_context() {
  const Driver& driver = Driver::get();
  CUcontext current = nullptr;
  driver.check(driver.cuCtxGetCurrent(&current), "find the current context");
  if (current == nullptr) {
    static const CUcontext primary = retain_primary_context(driver);
    driver.check(driver.cuCtxSetCurrent(primary), "use the primary context of GPU 0");
  }
  CUdevice device = 0;
  driver.check(driver.cuCtxGetDevice(&device), "find the device of the current context");
  return device;
}

}  // namespace flashbias::runtime
