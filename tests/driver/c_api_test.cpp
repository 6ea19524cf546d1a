#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "codegen/parameters.hpp"
#include "flashbias/flashbias.h"
#include "flashbias/jit.hpp"
#include "tests/driver/fake_driver.hpp"
#include "tests/driver/launch_operands.hpp"

using namespace flashbias;
using namespace flashbias::testing;

namespace {

constexpr DLDataType kHalf{.code = kDLFloat, .bits = 16, .lanes = 1};
constexpr DLDataType kFloat{.code = kDLFloat, .bits = 32, .lanes = 1};
const char* const kConfig =
    "direction=backward head_dim=80 causal=true arch=sm_90a gradients=q,slopes bias=\"alibi()\"";

/// A packed tensor somewhere on the Hopper.
struct Tensor {
  std::vector<std::int64_t> shape;
  DLTensor dl{};

  Tensor(std::uintptr_t where, DLDataType dtype, std::vector<std::int64_t> sizes) : shape(std::move(sizes)) {
    dl.data = address(where);
    dl.device = {.device_type = kDLCUDA, .device_id = kHopper};
    dl.ndim = static_cast<int>(shape.size());
    dl.dtype = dtype;
    dl.shape = shape.data();
  }
};

/// The kernel of a config, freed at the end.
using Handle = std::unique_ptr<flashbias_kernel, decltype(&flashbias_kernel_free)>;
Handle get(const char* config) {
  flashbias_kernel* kernel = nullptr;
  const int status = flashbias_get(config, &kernel);
  INFO(flashbias_last_error());
  REQUIRE(status == FLASHBIAS_OK);
  return {kernel, &flashbias_kernel_free};
}

/// A backward launch of ALiBi that asks for two gradients.
struct Backward {
  Tensor q{0x1000, kHalf, {B, Nq, H, D}}, k{0x2000, kHalf, {B, Nk, Hk, D}}, v{0x3000, kHalf, {B, Nk, Hk, D}};
  Tensor out{0x4000, kHalf, {B, Nq, H, D}}, log_sum_exp{0x5000, kFloat, {B, H, Nq}};
  Tensor d_out{0x6000, kHalf, {B, Nq, H, D}}, slopes{0x7000, kFloat, {H}};
  Tensor d_q{0x8000, kHalf, {B, Nq, H, D}}, d_slopes{0x9000, kFloat, {H}};
  std::array<flashbias_input, 1> inputs{{{"slopes", &slopes.dl}}};
  std::array<flashbias_gradient, 2> gradients{{{"slopes", &d_slopes.dl}, {"q", &d_q.dl}}};
  flashbias_backward_arguments arguments{.q = &q.dl,
                                         .k = &k.dl,
                                         .v = &v.dl,
                                         .out = &out.dl,
                                         .log_sum_exp = &log_sum_exp.dl,
                                         .d_out = &d_out.dl,
                                         .bias_inputs = inputs.data(),
                                         .num_bias_inputs = inputs.size(),
                                         .gradients = gradients.data(),
                                         .num_gradients = gradients.size(),
                                         .softmax_scale = 0.5F};
};

TensorView view_of(const Tensor& tensor) {
  TensorView view = TensorView::contiguous(tensor.dl.data, tensor.dl.dtype.bits == 16 ? DType::f16 : DType::f32, {});
  view.rank = tensor.dl.ndim;
  std::int64_t stride = 1;
  for (std::size_t i = tensor.shape.size(); i-- > 0;) {
    view.shape.at(i) = tensor.shape[i];
    view.strides.at(i) = stride;
    stride *= tensor.shape[i];
  }
  return view;
}

}  // namespace

TEST_CASE("flashbias_launch_backward launches what Kernel::launch_backward does, and zeroes what it sums into") {
  const CurrentDevice device(kHopper);
  const Handle kernel = get(kConfig);
  const Backward given;
  auto* const stream = address(0xa000);
  const RecordedCalls calls;
  const int status = flashbias_launch_backward(kernel.get(), &given.arguments, stream);
  INFO(flashbias_last_error());
  REQUIRE(status == FLASHBIAS_OK);
  // Four tensor maps, then a launch for the statistics and one for the queries; nothing is asked for of the keys.
  CHECK(calls.count("cuTensorMapEncodeTiled") == static_cast<int>(codegen::kBackwardTensorMaps));
  CHECK(calls.count("cuMemsetD8Async") == 1);
  CHECK(calls.count("cuLaunchKernel") == 2);
  const RecordedLaunch from_c = last_launch();

  const std::array inputs{BiasInput{"slopes", view_of(given.slopes)}};
  const std::array gradients{GradientOutput{"q", view_of(given.d_q)},
                             GradientOutput{"slopes", view_of(given.d_slopes)}};
  jit::get(parse_config(kConfig))
      .launch_backward({.q = view_of(given.q),
                        .k = view_of(given.k),
                        .v = view_of(given.v),
                        .out = view_of(given.out),
                        .log_sum_exp = view_of(given.log_sum_exp),
                        .d_out = view_of(given.d_out),
                        .bias_inputs = inputs,
                        .gradients = gradients,
                        .softmax_scale = 0.5F},
                       static_cast<CUstream_st*>(stream));
  const RecordedLaunch from_cpp = last_launch();
  CHECK(from_c.blocks == from_cpp.blocks);
  CHECK(from_c.stream == from_cpp.stream);
  constexpr std::size_t kOperands = 8;  // with gradients, whether asked for or not
  constexpr std::size_t kWords = (kOperands + 2) * codegen::kTensorWords + codegen::kLogSumExpWords;
  constexpr std::size_t kMapBytes = codegen::kBackwardTensorMaps * codegen::kTensorMapBytes;
  constexpr std::size_t kBytes = kMapBytes + kWords * sizeof(std::uint64_t) + sizeof(codegen::BackwardSizes);
  CHECK(std::memcmp(from_c.parameters.data(), from_cpp.parameters.data(), kBytes) == 0);
}

TEST_CASE("where keys add to queries a launch has memory for their sums on its stream, and gives it back") {
  const CurrentDevice device(kHopper);
  const char* const of_operands =
      "direction=backward head_dim=80 causal=true arch=sm_90a gradients=q,v bias=\"alibi()\"";
  const Handle kernel = get(of_operands);
  Tensor d_v{0x9000, kHalf, {B, Nk, Hk, D}};
  Backward given;
  given.gradients = {{{"q", &given.d_q.dl}, {"v", &d_v.dl}}};
  const RecordedCalls calls;
  const int status = flashbias_launch_backward(kernel.get(), &given.arguments, address(0xa000));
  INFO(flashbias_last_error());
  REQUIRE(status == FLASHBIAS_OK);
  CHECK(calls.count("cuMemAllocFromPoolAsync") == 1);
  CHECK(calls.count("cuMemsetD8Async") == 0);
  CHECK(calls.count("cuLaunchKernel") == 3);  // for the statistics, the keys and d_q
  CHECK(calls.count("cuMemFreeAsync") == 1);
}

TEST_CASE("flashbias_launch_backward says which argument is wrong, and launches nothing") {
  const CurrentDevice device(kHopper);
  const Handle kernel = get(kConfig);
  Backward given;
  std::string expected;
  SUBCASE("no tensor") {
    given.arguments.d_out = nullptr;
    expected = "d_out is a null DLTensor";
  }
  SUBCASE("no tensor for a gradient") {
    given.gradients[1].tensor = nullptr;
    expected = "the gradient of q is a null DLTensor";
  }
  SUBCASE("no list") {
    given.arguments.gradients = nullptr;
    expected = "gradients is NULL";
  }
  SUBCASE("no name") {
    given.gradients[0].name = nullptr;
    expected = "the name of a gradient is NULL";
  }
  SUBCASE("a gradient too few") {
    given.arguments.num_gradients = 1;
    expected = "the gradient of 'q' is missing; the kernel writes those of q, slopes";
  }
  SUBCASE("log-sum-exp of another shape") {
    given.log_sum_exp.shape[2] = Nk;
    expected = "log_sum_exp";
  }
  const RecordedCalls calls;
  CHECK(flashbias_launch_backward(kernel.get(), &given.arguments, nullptr) == FLASHBIAS_INVALID_ARGUMENT);
  const std::string message = flashbias_last_error();
  INFO(message);
  CHECK(message.find(expected) != std::string::npos);
  CHECK(calls.count("cuLaunchKernel") == 0);
  CHECK(calls.count("cuMemsetD8Async") == 0);
}

TEST_CASE("a refused backward launch has written nothing") {
  const CurrentDevice device(kHopper);
  const Handle kernel = get(kConfig);
  Backward given;
  std::array<std::int64_t, 4> backwards{Nq * H * D, -H * D, D, 1};
  given.d_out.dl.strides = backwards.data();
  const RecordedCalls calls;
  CHECK(flashbias_launch_backward(kernel.get(), &given.arguments, nullptr) == FLASHBIAS_INVALID_ARGUMENT);
  CHECK(std::string(flashbias_last_error()).find("d_out") != std::string::npos);
  CHECK(std::string(flashbias_last_error()).find("strides must lie between 0 and 2^40 bytes") != std::string::npos);
  CHECK(calls.count("cuMemsetD8Async") == 0);
}

TEST_CASE("a backward launch that finds no memory has written nothing, and says what helps") {
  const CurrentDevice device(kHopper);
  const MemoryIsFull full;
  const auto refusal = [](const std::string& config) {
    const Handle kernel = get(config.c_str());
    const Backward given;
    const RecordedCalls calls;
    CHECK(flashbias_launch_backward(kernel.get(), &given.arguments, nullptr) == FLASHBIAS_CUDA);
    CHECK(calls.count("cuMemsetD8Async") == 0);
    CHECK(calls.count("cuMemFreeAsync") == 0);
    return std::string(flashbias_last_error());
  };
  CHECK(refusal(kConfig).find("(free memory, or split the batch)") != std::string::npos);
  CHECK(refusal(std::string("deterministic=true ") + kConfig)
            .find("(free memory, split the batch, or leave out deterministic=true)") != std::string::npos);
}

TEST_CASE("each of the C API's launches refuses the other's kernel") {
  const CurrentDevice device(kHopper);
  const Backward given;
  const Handle forward = get("head_dim=80 causal=true arch=sm_90a bias=\"alibi()\"");
  CHECK(flashbias_launch_backward(forward.get(), &given.arguments, nullptr) == FLASHBIAS_INVALID_ARGUMENT);
  CHECK(std::string(flashbias_last_error()).find("use launch,") != std::string::npos);
  const Handle backward = get(kConfig);
  const flashbias_arguments arguments{.q = &given.q.dl,
                                      .k = &given.k.dl,
                                      .v = &given.v.dl,
                                      .out = &given.out.dl,
                                      .log_sum_exp = nullptr,
                                      .bias_inputs = given.inputs.data(),
                                      .num_bias_inputs = given.inputs.size(),
                                      .softmax_scale = 0};
  CHECK(flashbias_launch(backward.get(), &arguments, nullptr) == FLASHBIAS_INVALID_ARGUMENT);
  CHECK(std::string(flashbias_last_error()).find("use launch_backward") != std::string::npos);
}
