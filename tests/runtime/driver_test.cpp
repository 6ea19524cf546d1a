#include "runtime/driver.hpp"

#include <doctest/doctest.h>

#include "flashbias/error.hpp"
#include "tests/errors.hpp"

using namespace flashbias;
using namespace flashbias::runtime;
using testing::message_of;
using testing::says;

TEST_CASE("without a driver the error names what was tried and the remedy") {
  const auto message = message_of(ErrorCode::driver_missing, [] {
    (void)Driver::open({{"/nowhere/libcuda.so.1", "FLASHBIAS_LIBCUDA"}, {"libc.so.6", "a test"}});
  });
  CHECK(says(message, "/nowhere/libcuda.so.1 (FLASHBIAS_LIBCUDA): "));
  CHECK(says(message, "libc.so.6 (a test): "));
  CHECK(says(message, "has no function cuInit"));
  CHECK(says(message, "525 (CUDA 12.0) or newer"));
}
