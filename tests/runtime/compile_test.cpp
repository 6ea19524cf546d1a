#include <doctest/doctest.h>

#include <cstring>
#include <string>

#include "flashbias/cubin.hpp"
#include "runtime/compiler_log.hpp"
#include "runtime/nvrtc.hpp"
#include "tests/errors.hpp"

using namespace flashbias;
using testing::message_of;
using testing::says;

namespace {

constexpr const char* kTrivial = R"(
extern "C" __global__ void flashbias_forward(float* data) {
  __shared__ float staged[64];
  staged[threadIdx.x] = data[threadIdx.x];
  __syncthreads();
  data[threadIdx.x] = staged[63 - threadIdx.x];
})";

/// A register array too large to hold, and indexed by a value that is known at launch only.
constexpr const char* kWithStack = R"(
extern "C" __global__ void flashbias_forward(float* data, int index) {
  float local[100];
  for (int i = 0; i < 100; ++i) local[i] = data[i] * data[i + index];
  data[0] = local[index];
})";

}  // namespace

TEST_CASE("a kernel compiles to a cubin with its resources") {
  const Cubin cubin = compile({kTrivial}, Arch{90});
  REQUIRE(cubin.image.size() > 4);
  CHECK(std::memcmp(cubin.image.data(), "\177ELF", 4) == 0);
  CHECK(cubin.resources.registers > 0);
  CHECK(cubin.resources.registers < 64);
  CHECK(cubin.resources.static_shared_bytes == 64 * 4);
  CHECK(cubin.resources.stack_bytes == 0);
  CHECK(cubin.resources.spill_store_bytes == 0);
  CHECK(cubin.compile_ms > 0);
}

TEST_CASE("local memory of a kernel is reported") {
  CHECK(compile({kWithStack}, Arch{80}).resources.stack_bytes >= 100 * 4);
}

TEST_CASE("a source that does not compile gives an error with the options and the compiler's log") {
  const auto message = message_of(ErrorCode::compile_failed, [] {
    (void)compile({"extern \"C\" __global__ void flashbias_forward() { undeclared = 1; }"}, Arch{90});
  });
  CHECK(says(message, "-arch=sm_90a --std=c++20"));
  CHECK(says(message, "identifier \"undeclared\" is undefined"));
}

TEST_CASE("an architecture that NVRTC does not know is named with those that it knows") {
  const auto message = message_of(ErrorCode::unsupported_device, [] { (void)compile({kTrivial}, Arch{999}); });
  CHECK(says(message, "sm_999"));
  CHECK(says(message, "sm_90"));
  const runtime::Nvrtc& nvrtc = runtime::Nvrtc::get();
  CHECK(says(message, "NVRTC " + nvrtc.version()));
  CHECK(says(message, "name its libnvrtc.so in FLASHBIAS_NVRTC: " + nvrtc.path().string() + " is found before it"));
}

TEST_CASE("the compiler's version holds its build") {
  const std::string version = compiler_version();
  CHECK(version.starts_with(runtime::Nvrtc::get().version() + "+"));
  CHECK(version.size() - version.find('+') - 1 >= 16);
  CHECK(version.find_first_not_of("0123456789abcdef", version.find('+') + 1) == std::string::npos);
}

TEST_CASE("resources are read from the assembler's report") {
  const KernelResources resources = runtime::parse_resources(
      "flashbias.cu(3): warning #177-D: variable \"x\" was declared but never referenced, 7 registers\n"
      "ptxas info    : 0 bytes gmem\n"
      "ptxas info    : Compiling entry function 'k' for 'sm_90a'\n"
      "ptxas info    : Function properties for k\n"
      "ptxas         .     48 bytes stack frame, 44 bytes spill stores, 40 bytes spill loads\n"
      "ptxas info    : Used 168 registers, used 1 barriers, 48 bytes cumulative stack size, 512 bytes smem\n"
      "ptxas info    : Compiling entry function 'less' for 'sm_90a'\n"
      "ptxas info    : Function properties for less\n"
      "ptxas         .     0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads\n"
      "ptxas info    : Used 32 registers, used 0 barriers\n");
  CHECK(resources.registers == 168);
  CHECK(resources.static_shared_bytes == 512);
  CHECK(resources.stack_bytes == 48);
  CHECK(resources.spill_store_bytes == 44);
  CHECK(resources.spill_load_bytes == 40);
  CHECK(runtime::parse_resources("no report, but 17 registers").registers == 0);
}
