#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <shared_mutex>

namespace flashbias::emulator {

/// What may be touched of the host's memory: what was allocated, to the byte.
class GlobalMemory {
 public:
  [[nodiscard]] void* allocate(std::size_t size);
  /// Whether the pointer was one to an allocation.
  bool free(void* pointer);
  /// Adds memory that is not freed here.
  void add(const void* pointer, std::size_t size);
  void remove(const void* pointer);

  [[nodiscard]] bool contains(const void* pointer, std::size_t size) const;

 private:
  mutable std::shared_mutex mutex_;
  std::map<std::size_t, std::size_t> sizes_;  ///< by address
};

[[nodiscard]] GlobalMemory& global_memory();

}  // namespace flashbias::emulator
