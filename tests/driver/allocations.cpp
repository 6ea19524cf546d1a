#include "tests/driver/allocations.hpp"

#include <cstddef>
#include <cstdlib>
#include <new>

namespace {

thread_local long count = 0;

}  // namespace

namespace flashbias::testing {

long allocations() noexcept { return count; }

}  // namespace flashbias::testing

// In place of the standard library's, for every library of the process. The one that returns null is among them because
// a sanitizer brings its own, whose memory is not std::free's to release.
void* operator new(std::size_t size, const std::nothrow_t& /*tag*/) noexcept {
  ++count;
  return std::malloc(size);
}
void* operator new(std::size_t size) {
  if (void* memory = operator new(size, std::nothrow)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t /*size*/) noexcept { std::free(memory); }
