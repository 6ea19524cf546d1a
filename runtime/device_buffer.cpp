#include "flashbias/device_buffer.hpp"

#include <fmt/format.h>

#include <utility>

#include "flashbias/error.hpp"
#include "runtime/context.hpp"
#include "runtime/driver.hpp"

namespace flashbias {
namespace {

runtime::CUdeviceptr address(void* data) { return reinterpret_cast<runtime::CUdeviceptr>(data); }

}  // namespace

DeviceBuffer::DeviceBuffer(std::size_t bytes) : size_(bytes) {
  const auto& driver = runtime::Driver::get();
  runtime::ensure_context();
  runtime::CUdeviceptr pointer = 0;
  if (bytes > 0) driver.check(driver.cuMemAlloc(&pointer, bytes), fmt::format("allocate {} bytes on the GPU", bytes));
  data_ = reinterpret_cast<void*>(pointer);  // NOLINT(performance-no-int-to-ptr): so the driver gives addresses
}

DeviceBuffer::DeviceBuffer(const void* from, std::size_t bytes) : DeviceBuffer(bytes) {
  const auto& driver = runtime::Driver::get();
  if (bytes > 0) driver.check(driver.cuMemcpyHtoD(address(data_), from, bytes), "copy memory to the GPU");
}

DeviceBuffer::DeviceBuffer(DeviceBuffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

DeviceBuffer& DeviceBuffer::operator=(DeviceBuffer&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

DeviceBuffer::~DeviceBuffer() {
  if (data_ == nullptr) return;
  try {
    runtime::ensure_context();
  } catch (const Error&) {  // NOLINT(bugprone-empty-catch): without a driver there is nothing to free any more
  }
  runtime::Driver::get().cuMemFree(address(data_));
}

void DeviceBuffer::fill(unsigned char value) {
  const auto& driver = runtime::Driver::get();
  runtime::ensure_context();
  if (size_ > 0) driver.check(driver.cuMemsetD8(address(data_), value, size_), "fill memory of the GPU");
}

void DeviceBuffer::download(void* to) const {
  const auto& driver = runtime::Driver::get();
  runtime::ensure_context();
  if (size_ > 0) driver.check(driver.cuMemcpyDtoH(to, address(data_), size_), "copy memory from the GPU");
}

}  // namespace flashbias
