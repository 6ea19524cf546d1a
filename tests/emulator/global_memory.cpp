#include "tests/emulator/global_memory.hpp"

#include <cstdlib>
#include <iterator>

namespace flashbias::emulator {
namespace {

constexpr std::size_t kAlignment = 256;  // cuMemAlloc's

std::size_t address_of(const void* pointer) { return reinterpret_cast<std::size_t>(pointer); }

}  // namespace

void* GlobalMemory::allocate(std::size_t size) {
  void* pointer = std::aligned_alloc(kAlignment, (size + kAlignment - 1) / kAlignment * kAlignment);
  if (pointer != nullptr) add(pointer, size);
  return pointer;
}

bool GlobalMemory::free(void* pointer) {
  {
    const std::unique_lock lock(mutex_);
    if (sizes_.erase(address_of(pointer)) == 0) return false;
  }
  std::free(pointer);
  return true;
}

void GlobalMemory::add(const void* pointer, std::size_t size) {
  const std::unique_lock lock(mutex_);
  sizes_[address_of(pointer)] = size;
}

void GlobalMemory::remove(const void* pointer) {
  const std::unique_lock lock(mutex_);
  sizes_.erase(address_of(pointer));
}

bool GlobalMemory::contains(const void* pointer, std::size_t size) const {
  const std::shared_lock lock(mutex_);
  const std::size_t address = address_of(pointer);
  const auto after = sizes_.upper_bound(address);
  if (after == sizes_.begin()) return false;
  const auto& [start, extent] = *std::prev(after);
  return address + size <= start + extent;
}

GlobalMemory& global_memory() {
  static GlobalMemory memory;
  return memory;
}

}  // namespace flashbias::emulator
