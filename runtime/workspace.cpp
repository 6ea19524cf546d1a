#include "runtime/workspace.hpp"

#include <cstdint>
#include <limits>
#include <map>
#include <mutex>
#include <string>

namespace flashbias::runtime {
namespace {

CUmemoryPool create_pool(const Driver& driver, CUdevice device) {
  const CUmemPoolProps properties{.allocation_type = CU_MEM_ALLOCATION_TYPE_PINNED,
                                  .location_type = CU_MEM_LOCATION_TYPE_DEVICE,
                                  .location_id = device};
  CUmemoryPool pool = nullptr;
  driver.check(driver.cuMemPoolCreate(&pool, &properties), "create a memory pool");
  std::uint64_t keep = std::numeric_limits<std::uint64_t>::max();
  driver.check(driver.cuMemPoolSetAttribute(pool, CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, &keep),
               "have a memory pool keep its memory");
  return pool;
}

/// Made when it is first asked for, and never destroyed: launches may be under way while the process exits.
CUmemoryPool pool_of(const Driver& driver, CUdevice device) {
  static std::mutex mutex;
  static auto& pools = *new std::map<CUdevice, CUmemoryPool>;
  const std::lock_guard lock(mutex);
  const auto found = pools.find(device);
  return found != pools.end() ? found->second : pools[device] = create_pool(driver, device);
}

}  // namespace

Workspace::Workspace(const Driver& driver, CUdevice device, std::size_t bytes, CUstream stream)
    : driver_(driver), stream_(stream) {
  driver.check(driver.cuMemAllocFromPoolAsync(&address_, bytes, pool_of(driver, device), stream),
               "allocate the " + std::to_string(bytes) + " bytes of workspace that `flashbias explain` tells of");
}

Workspace::~Workspace() { driver_.cuMemFreeAsync(address_, stream_); }

}  // namespace flashbias::runtime
