#include "runtime/dlpack.hpp"

#include <doctest/doctest.h>

#include <array>

#include "tests/errors.hpp"

using namespace flashbias;
using runtime::view_of;
using testing::message_of;
using testing::says;

namespace {

/// An f16 [2, 3, 4, 8] tensor on device 1; each test changes what it is about.
struct Tensor {
  alignas(16) std::array<std::byte, 64> memory{};
  std::array<std::int64_t, 5> shape{2, 3, 4, 8, 1};
  std::array<std::int64_t, 5> strides{0, 64, 16, 1, 1};
  DLTensor dl{.data = memory.data(),
              .device = {.device_type = kDLCUDA, .device_id = 1},
              .ndim = 4,
              .dtype = {.code = kDLFloat, .bits = 16, .lanes = 1},
              .shape = shape.data(),
              .strides = strides.data(),
              .byte_offset = 0};

  std::string rejection() {
    return message_of(ErrorCode::invalid_argument, [this] { (void)view_of("q", &dl); });
  }
};

}  // namespace

TEST_CASE("a DLPack tensor is seen with its shape, strides, offset and device") {
  Tensor tensor;
  tensor.dl.byte_offset = 32;
  const TensorView view = view_of("q", &tensor.dl);
  CHECK(to_string(view) == "f16 [2, 3, 4, 8] strides [0, 64, 16, 1] on device 1");
  CHECK(view.data == tensor.memory.data() + 32);
}

TEST_CASE("strides that are NULL stand for a packed tensor") {
  Tensor tensor;
  tensor.dl.strides = nullptr;
  CHECK(to_string(view_of("q", &tensor.dl)) == "f16 [2, 3, 4, 8] strides [96, 32, 8, 1] on device 1");
}

TEST_CASE("DLPack types map to those of flashbias") {
  constexpr std::uint8_t kBool = 6;
  const auto dtype_of = [](std::uint8_t code, std::uint8_t bits) {
    Tensor tensor;
    tensor.dl.dtype = {.code = code, .bits = bits, .lanes = 1};
    return to_string(view_of("q", &tensor.dl).dtype);
  };
  CHECK(dtype_of(kDLFloat, 16) == "f16");
  CHECK(dtype_of(kDLBfloat, 16) == "bf16");
  CHECK(dtype_of(kDLFloat, 32) == "f32");
  CHECK(dtype_of(kDLInt, 32) == "i32");
  CHECK(dtype_of(kDLUInt, 8) == "u8");
  CHECK(dtype_of(kBool, 8) == "u8");
}

TEST_CASE("a DLPack tensor that cannot be an operand is rejected by name") {
  CHECK(says(message_of(ErrorCode::invalid_argument, [] { (void)view_of("q", nullptr); }), "q is a null DLTensor"));
  Tensor on_host;
  on_host.dl.device.device_type = kDLCPU;
  CHECK(says(on_host.rejection(), "q is on a device of DLPack type 1: it must be in CUDA memory (type 2)"));
  Tensor of_five_dimensions;
  of_five_dimensions.dl.ndim = 5;
  CHECK(says(of_five_dimensions.rejection(), "q has 5 dimensions: at most 4"));
  Tensor without_shape;
  without_shape.dl.shape = nullptr;
  CHECK(says(without_shape.rejection(), "q has 4 dimensions, but its shape is NULL"));
  Tensor of_doubles;
  of_doubles.dl.dtype.bits = 64;
  CHECK(says(of_doubles.rejection(), "(code 2, 64 bits, 1 lanes): it must be float16"));
  Tensor of_pairs;
  of_pairs.dl.dtype.lanes = 2;
  CHECK(says(of_pairs.rejection(), "2 lanes"));
}
