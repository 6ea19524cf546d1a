#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "runtime/cuda_types.hpp"

/// A CUDA driver without a GPU, for what the host does: libfake_cuda.so has the functions that runtime/driver.hpp
/// takes, as far as these tests need them; the others fail. The tests link it too, to see what it was asked for.
namespace flashbias::testing {

/// Its devices.
inline constexpr int kHopper = 0;  ///< compute capability 9.0
inline constexpr int kTuring = 1;  ///< 7.5, older than flashbias supports
inline constexpr int kAmpere = 2;  ///< 8.0
inline constexpr int kSecondHopper = 3;

/// Of each of them.
inline constexpr int kMultiprocessors = 4;

/// What cuTensorMapEncodeTiled was given: its descriptors hold just this.
struct EncodedTensorMap {
  void* address = nullptr;
  std::array<std::uint64_t, 4> sizes{};
  std::array<std::uint64_t, 3> strides{};
  std::array<std::uint32_t, 4> box{};
  int swizzle = 0;
};

/// What cuLaunchKernel was given.
struct RecordedLaunch {
  unsigned blocks = 0;
  unsigned threads = 0;
  unsigned shared_bytes = 0;
  runtime::CUstream stream = nullptr;
  std::array<std::byte, 1024> parameters{};  ///< the first bytes of the first parameter
};

/// Names of the functions that all threads call while it lives, in their order, but for those of errors' texts.
class RecordedCalls {
 public:
  RecordedCalls();
  ~RecordedCalls();
  RecordedCalls(const RecordedCalls&) = delete;
  RecordedCalls& operator=(const RecordedCalls&) = delete;

  [[nodiscard]] std::vector<std::string> names() const;
  [[nodiscard]] int count(const std::string& name) const;
};

/// The launch before; zeros where there was none.
[[nodiscard]] RecordedLaunch last_launch();

/// Makes a device's context current in this thread while it lives; there is none before and after.
class CurrentDevice {
 public:
  explicit CurrentDevice(int device);
  ~CurrentDevice();
  CurrentDevice(const CurrentDevice&) = delete;
  CurrentDevice& operator=(const CurrentDevice&) = delete;
};

/// No memory can be allocated on a stream while it lives.
class MemoryIsFull {
 public:
  MemoryIsFull();
  ~MemoryIsFull();
  MemoryIsFull(const MemoryIsFull&) = delete;
  MemoryIsFull& operator=(const MemoryIsFull&) = delete;
};

/// cuCtxGetDevice fails with CUDA_ERROR_OF_A_FAKE while it lives.
class BrokenContext {
 public:
  BrokenContext();
  ~BrokenContext();
  BrokenContext(const BrokenContext&) = delete;
  BrokenContext& operator=(const BrokenContext&) = delete;
};

/// Those that cuMemAlloc gave and cuMemFree has not taken back.
[[nodiscard]] int allocated_buffers();

}  // namespace flashbias::testing
