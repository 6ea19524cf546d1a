#pragma once

#include <cstddef>

namespace flashbias {

/// GPU memory for programs that have no CUDA headers: examples, tests and tools. Belongs to the current CUDA context
/// (the primary context of device 0 where there is none, which a thread that uses or frees it also gets); freed with
/// the object.
class DeviceBuffer {
 public:
  /// `bytes` of uninitialised memory. Throws Error(driver_missing), Error(cuda).
  explicit DeviceBuffer(std::size_t bytes);
  /// A copy of host memory.
  DeviceBuffer(const void* from, std::size_t bytes);
  DeviceBuffer(DeviceBuffer&& other) noexcept;
  DeviceBuffer& operator=(DeviceBuffer&& other) noexcept;
  DeviceBuffer(const DeviceBuffer&) = delete;
  DeviceBuffer& operator=(const DeviceBuffer&) = delete;
  ~DeviceBuffer();

  [[nodiscard]] void* data() const noexcept { return data_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

  void fill(unsigned char value);
  /// Copies all of it to host memory, once the work that was enqueued on the default stream is done.
  void download(void* to) const;

 private:
  void* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace flashbias
