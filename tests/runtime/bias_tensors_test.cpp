#include "runtime/bias_tensors.hpp"

#include <doctest/doctest.h>

#include <array>

#include "tests/errors.hpp"

using namespace flashbias;
using namespace flashbias::runtime;
using testing::message_of;
using testing::says;

namespace {

constexpr ProblemSizes kSizes{.batch = 2, .heads = 8, .kv_heads = 4, .q_length = 5, .kv_length = 7};
alignas(16) std::array<std::byte, 16> memory;

TensorView tensor(DType dtype, std::initializer_list<std::int64_t> shape) {
  return TensorView::contiguous(memory.data(), dtype, shape);
}

InputSpec spec(Op kind, int dims = 1, DType dtype = DType::f32) {
  return {.kind = kind, .name = "input", .dtype = dtype, .dims = dims};
}

std::string rejection(const InputSpec& input, const TensorView& view) {
  return message_of(ErrorCode::invalid_argument, [&] { (void)bind_bias_tensor(input, view, kSizes); });
}

}  // namespace

TEST_CASE("a token input binds with its trailing dimensions missing or broadcast") {
  const InputSpec query = spec(Op::query_input, 3);
  const InputSpec key = spec(Op::key_input);
  CHECK(bind_bias_tensor(query, tensor(DType::f32, {2, 5, 8, 3}), kSizes) == BiasStrides{120, 3, 24});
  CHECK(bind_bias_tensor(query, tensor(DType::f32, {1, 5, 1, 3}), kSizes) == BiasStrides{0, 0, 3});
  CHECK(bind_bias_tensor(key, tensor(DType::f32, {2, 7}), kSizes) == BiasStrides{7, 0, 1});
  CHECK(bind_bias_tensor(key, tensor(DType::f32, {1, 7, 8}), kSizes) == BiasStrides{0, 1, 8});
}

TEST_CASE("tables, head scalars and pairs bind with their leading dimensions missing or broadcast") {
  CHECK(bind_bias_tensor(spec(Op::head_scalar), tensor(DType::f32, {8}), kSizes) == BiasStrides{0, 1, 0});
  CHECK(bind_bias_tensor(spec(Op::head_scalar), tensor(DType::f32, {2, 8}), kSizes) == BiasStrides{8, 1, 0});
  CHECK(bind_bias_tensor(spec(Op::head_scalar), tensor(DType::f32, {2, 1}), kSizes) == BiasStrides{1, 0, 0});
  CHECK(bind_bias_tensor(spec(Op::table, 9), tensor(DType::f32, {9}), kSizes) == BiasStrides{0, 0, 0});
  CHECK(bind_bias_tensor(spec(Op::table, 9), tensor(DType::f32, {8, 9}), kSizes) == BiasStrides{0, 9, 0});
  CHECK(bind_bias_tensor(spec(Op::table, 9), tensor(DType::f32, {2, 1, 9}), kSizes) == BiasStrides{9, 0, 0});
  CHECK(bind_bias_tensor(spec(Op::pair_input), tensor(DType::f32, {5, 7}), kSizes) == BiasStrides{0, 0, 7});
  CHECK(bind_bias_tensor(spec(Op::pair_input), tensor(DType::f32, {8, 5, 7}), kSizes) == BiasStrides{0, 35, 7});
  CHECK(bind_bias_tensor(spec(Op::pair_input), tensor(DType::f32, {2, 1, 5, 7}), kSizes) == BiasStrides{35, 0, 7});
}

TEST_CASE("head scalars may have any strides") {
  TensorView scalars = tensor(DType::f32, {8});
  scalars.strides[0] = 100;
  CHECK(bind_bias_tensor(spec(Op::head_scalar), scalars, kSizes) == BiasStrides{0, 100, 0});
}

TEST_CASE("strides of dimensions of size 1 do not matter") {
  TensorView broadcast = tensor(DType::f16, {1, 7, 1, 4});
  broadcast.strides = {3, 4, 1, 1};
  CHECK(bind_bias_tensor(spec(Op::key_input, 4, DType::f16), broadcast, kSizes) == BiasStrides{0, 0, 4});
}

TEST_CASE("a tensor of another shape is told the shape expected") {
  const std::string message = rejection(spec(Op::key_input), tensor(DType::f32, {2, 6}));
  CHECK(says(message, "bias input 'input' is f32 [2, 6]"));
  CHECK(says(message, "[B|1, Nk, H|1, dims] = [2, 7, 8, 1]"));
  CHECK(says(message, "trailing dimensions may be missing"));

  CHECK(
      says(rejection(spec(Op::query_input, 3), tensor(DType::f32, {2, 5, 8})), "[B|1, Nq, H|1, dims] = [2, 5, 8, 3]"));
  CHECK(says(rejection(spec(Op::key_input), tensor(DType::f32, {2, 7, 4})), "[2, 7, 8, 1]"));  // key heads are not H
  CHECK(says(rejection(spec(Op::head_scalar), tensor(DType::f32, {4})), "[B|1, H|1] = [2, 8]"));
  CHECK(says(rejection(spec(Op::table, 9), tensor(DType::f32, {8, 10})), "[B|1, H|1, entries] = [2, 8, 9]"));
  CHECK(says(rejection(spec(Op::pair_input), tensor(DType::f32, {7, 5})), "[B|1, H|1, Nq, Nk] = [2, 8, 5, 7]"));
  CHECK(says(rejection(spec(Op::pair_input), tensor(DType::f32, {3, 1, 5, 7})), "[2, 8, 5, 7]"));
  CHECK(says(rejection(spec(Op::head_scalar), tensor(DType::f32, {2, 8, 1})), "it must have 1 to 2 dimensions"));
  CHECK(says(rejection(spec(Op::head_scalar), tensor(DType::f32, {})), "it must have 1 to 2 dimensions"));
}

TEST_CASE("dtype, strides, alignment and pointer are checked") {
  CHECK(says(rejection(spec(Op::head_scalar), tensor(DType::f16, {8})), "its dtype must be f32"));

  TensorView transposed = tensor(DType::f32, {5, 7});
  transposed.strides = {1, 5};
  CHECK(says(rejection(spec(Op::pair_input), transposed), "its last dimension must be contiguous"));

  TensorView null = tensor(DType::f32, {8});
  null.data = nullptr;
  CHECK(says(rejection(spec(Op::head_scalar), null), "its pointer is null"));

  TensorView odd = tensor(DType::f32, {8});
  odd.data = memory.data() + 2;
  CHECK(says(rejection(spec(Op::head_scalar), odd), "must be a multiple of 4 bytes"));
}

TEST_CASE("16-bit tokens are aligned for copies of up to 16 bytes") {
  const auto rejection_at = [](int dims, std::size_t offset, std::int64_t row_stride) {
    TensorView factors = tensor(DType::f16, {1, 7, 1, dims});
    factors.data = memory.data() + offset;
    factors.strides[1] = row_stride;
    return rejection(spec(Op::key_input, dims, DType::f16), factors);
  };
  CHECK(says(rejection_at(96, 8, 96), "must be a multiple of 16 bytes"));
  CHECK(says(rejection_at(96, 0, 100), "its strides must be multiples of 16 bytes (8 elements)"));
  CHECK(says(rejection_at(20, 4, 20), "must be a multiple of 8 bytes"));
  CHECK(says(rejection_at(6, 0, 7), "its strides must be multiples of 4 bytes (2 elements)"));

  TensorView single = tensor(DType::f16, {1, 7});
  single.data = memory.data() + 2;
  CHECK(bind_bias_tensor(spec(Op::key_input, 1, DType::f16), single, kSizes) == BiasStrides{0, 0, 1});
  TensorView floats = tensor(DType::f32, {1, 7, 1, 4});
  floats.data = memory.data() + 4;
  CHECK(bind_bias_tensor(spec(Op::key_input, 4), floats, kSizes) == BiasStrides{0, 0, 4});
}
