#include "flashbias/device_buffer.hpp"

#include <doctest/doctest.h>

#include <array>
#include <optional>
#include <thread>

#include "tests/driver/fake_driver.hpp"

using namespace flashbias;
using namespace flashbias::testing;

TEST_CASE("a buffer is filled, read and freed by threads without a context") {
  const int before = allocated_buffers();
  std::optional<DeviceBuffer> buffer;
  {
    const CurrentDevice device(kHopper);
    buffer.emplace(std::size_t{16});
  }
  CHECK(allocated_buffers() == before + 1);
  std::jthread([&] { CHECK_NOTHROW(buffer->fill(0)); }).join();
  std::array<std::byte, 16> bytes;
  std::jthread([&] { CHECK_NOTHROW(buffer->download(bytes.data())); }).join();
  std::jthread([&] { buffer.reset(); }).join();
  CHECK(allocated_buffers() == before);
}
