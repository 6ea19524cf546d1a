#include "runtime/workspace.hpp"

#include <fmt/format.h>

#include <cstdint>
#include <limits>
#include <map>
#include <mutex>

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

Workspace::Workspace(const Driver& driver, CUdevice device, std::size_t bytes, bool has_exact_sums, CUstream stream)
    : driver_(driver), stream_(stream) {
  const CUresult result = driver.cuMemAllocFromPoolAsync(&address_, bytes, pool_of(driver, device), stream);
  if (result == CUDA_SUCCESS) [[likely]]
    return;
  const char* const remedy = result != CUDA_ERROR_OUT_OF_MEMORY ? ""
                             : has_exact_sums ? " (free memory, split the batch, or leave out deterministic=true)"
                                              : " (free memory, or split the batch)";
  driver.check(result,
               fmt::format("allocate the {} bytes of workspace that `flashbias explain` tells of{}", bytes, remedy));
}

Workspace::~Workspace() { driver_.cuMemFreeAsync(address_, stream_); }

}  // namespace flashbias::runtime
