#include "flashbias/types.hpp"

#include <doctest/doctest.h>

#include "tests/errors.hpp"

using namespace flashbias;
using testing::message_of;
using testing::says;

TEST_CASE("dtypes are named and measured") {
  for (const DType dtype : {DType::f16, DType::bf16, DType::f32, DType::i32, DType::u8}) {
    CHECK(static_cast<int>(parse_dtype(to_string(dtype))) == static_cast<int>(dtype));
  }
  CHECK(to_string(DType::bf16) == "bf16");
  CHECK(size_of(DType::bf16) == 2);
  CHECK(size_of(DType::f32) == 4);
  CHECK(size_of(DType::i32) == 4);
  CHECK(size_of(DType::u8) == 1);
  CHECK(message_of(ErrorCode::parse, [] { (void)parse_dtype("float16"); }) ==
        "unknown dtype 'float16'; expected f16, bf16, f32, i32 or u8");
}

TEST_CASE("directions are named") {
  CHECK(to_string(parse_direction("forward")) == "forward");
  CHECK(message_of(ErrorCode::parse, [] { (void)parse_direction("sideways"); }) ==
        "unknown direction 'sideways'; expected forward or backward");
}

TEST_CASE("architectures are named as NVRTC names them") {
  for (const Arch arch : supported_archs()) CHECK(parse_arch(to_string(arch)) == arch);
  CHECK(to_string(Arch{90}) == "sm_90a");
  CHECK(to_string(Arch{120}) == "sm_120");
  CHECK(parse_arch("sm_90") == Arch{90});
  CHECK(parse_arch("current").is_current_device());
  CHECK(to_string(Arch{}) == "current");
  CHECK(message_of(ErrorCode::unsupported_device, [] { (void)parse_arch("sm_75"); }) ==
        "unknown architecture 'sm_75'; expected one of sm_80, sm_86, sm_89, sm_90a, sm_100, sm_120, or current");
}

TEST_CASE("a device runs the cubins of its major version up to its minor version") {
  CHECK(arch_of_device(8, 0) == Arch{80});
  CHECK(arch_of_device(8, 6) == Arch{86});
  CHECK(arch_of_device(8, 7) == Arch{86});
  CHECK(arch_of_device(8, 9) == Arch{89});
  CHECK(arch_of_device(9, 0) == Arch{90});
  CHECK(arch_of_device(10, 3) == Arch{100});
  CHECK(arch_of_device(12, 1) == Arch{120});
}

TEST_CASE("a device that no cubin runs on is refused by its compute capability") {
  CHECK(message_of(ErrorCode::unsupported_device, [] { (void)arch_of_device(7, 5); }) ==
        "the GPU has compute capability 7.5; flashbias needs 8.0 (Ampere) or newer");
  CHECK(says(message_of(ErrorCode::unsupported_device, [] { (void)arch_of_device(13, 0); }), "13.0"));
}
