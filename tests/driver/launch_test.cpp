#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <cstring>

#include "codegen/parameters.hpp"
#include "flashbias/jit.hpp"
#include "tests/driver/allocations.hpp"
#include "tests/driver/fake_driver.hpp"
#include "tests/errors.hpp"

using namespace flashbias;
using namespace flashbias::testing;

namespace {

constexpr std::int64_t B = 2, Nq = 100, Nk = 70, H = 8, Hk = 4, D = 80;

/// Looks like device memory: an aligned address that nobody reads.
void* address(std::uintptr_t value) { return reinterpret_cast<void*>(value); }

/// A launch of an ALiBi kernel on device 0.
struct Launch {
  Kernel kernel = jit::get({.head_dim = D, .bias = bias::alibi(), .causal = true, .arch = Arch{90}});
  std::array<BiasInput, 1> inputs{{{"slopes", TensorView::contiguous(address(0x5000), DType::f32, {H})}}};
  AttentionArguments arguments{.q = TensorView::contiguous(address(0x1000), DType::f16, {B, Nq, H, D}),
                               .k = TensorView::contiguous(address(0x2000), DType::f16, {B, Nk, Hk, D}),
                               .v = TensorView::contiguous(address(0x3000), DType::f16, {B, Nk, Hk, D}),
                               .out = TensorView::contiguous(address(0x4000), DType::f16, {B, Nq, H, D}),
                               .bias_inputs = inputs,
                               .softmax_scale = 0.5F};
};

/// The kernel's parameter struct, as codegen/parameters.hpp orders it.
struct Parameters {
  struct Tensor {
    std::uint64_t pointer;
    std::array<std::int64_t, 3> strides;
  };
  Tensor q, k, v, out, slopes;
  codegen::LaunchSizes sizes;
};

Parameters parameters_of(const RecordedLaunch& launch) {
  Parameters parameters{};
  std::memcpy(&parameters, launch.parameters.data(), sizeof(parameters));
  return parameters;
}

using Strides = std::array<std::int64_t, 3>;

}  // namespace

TEST_CASE("a launch hands the driver the plan's grid, the stream and the parameters, and allocates nothing") {
  const CurrentDevice device(kHopper);
  const Launch launch;
  auto* const stream = static_cast<CUstream_st*>(address(0x6000));
  const KernelPlan& plan = launch.kernel.plan();
  const long before = allocations();
  launch.kernel.launch(launch.arguments, stream);
  CHECK(allocations() == before);

  const RecordedLaunch given = last_launch();
  const std::int64_t q_tiles = (Nq + plan.tile.block_q - 1) / plan.tile.block_q;
  CHECK(given.blocks == B * H * q_tiles);
  CHECK(given.threads == static_cast<unsigned>(plan.tile.warps * 32));
  CHECK(given.shared_bytes == static_cast<unsigned>(plan.shared_bytes));
  CHECK(given.stream == stream);

  const Parameters parameters = parameters_of(given);
  CHECK(parameters.q.pointer == 0x1000);
  CHECK(parameters.q.strides == Strides{Nq * H * D, H * D, D});
  CHECK(parameters.k.pointer == 0x2000);
  CHECK(parameters.k.strides == Strides{Nk * Hk * D, Hk * D, D});
  CHECK(parameters.v.pointer == 0x3000);
  CHECK(parameters.out.pointer == 0x4000);
  CHECK(parameters.slopes.pointer == 0x5000);
  CHECK(parameters.slopes.strides == Strides{0, 1, 0});
  CHECK(parameters.sizes.heads == H);
  CHECK(parameters.sizes.heads_per_kv_head == H / Hk);
  CHECK(parameters.sizes.q_length == Nq);
  CHECK(parameters.sizes.kv_length == Nk);
  CHECK(parameters.sizes.q_tiles == q_tiles);
  CHECK(parameters.sizes.softmax_scale == 0.5F);
  CHECK(parameters.sizes.inverse_softmax_scale == 2);
}

TEST_CASE("a launch asks for the current device and launches: nothing else reaches the driver") {
  const CurrentDevice device(kHopper);
  const Launch launch;
  const RecordedCalls calls;
  launch.kernel.launch(launch.arguments, nullptr);
  CHECK(calls.names() == std::vector<std::string>{"cuCtxGetDevice", "cuLaunchKernel"});
}

TEST_CASE("a launch without a current context tells how to get one") {
  const Launch launch;
  const RecordedCalls calls;
  const auto message = message_of(ErrorCode::cuda, [&] { launch.kernel.launch(launch.arguments, nullptr); });
  CHECK(says(message, "no CUDA context is current in this thread"));
  CHECK(says(message, "cudaSetDevice"));
  CHECK(calls.count("cuLaunchKernel") == 0);
}

TEST_CASE("a kernel is not launched on a device that cannot run it") {
  Launch launch;
  const CurrentDevice device(kAmpere);
  for (TensorView* tensor : {&launch.arguments.q, &launch.arguments.k, &launch.arguments.v, &launch.arguments.out,
                             &launch.inputs[0].tensor}) {
    tensor->device = kAmpere;
  }
  const RecordedCalls calls;
  const auto message =
      message_of(ErrorCode::unsupported_device, [&] { launch.kernel.launch(launch.arguments, nullptr); });
  CHECK(says(message, "a kernel for sm_90a does not run on device 2"));
  CHECK(calls.count("cuLaunchKernel") == 0);
}

TEST_CASE("nothing is launched where an argument is wrong or there is nothing to compute") {
  const CurrentDevice device(kHopper);
  Launch launch;
  const RecordedCalls calls;
  launch.arguments.q.dtype = DType::bf16;
  CHECK(says(message_of(ErrorCode::invalid_argument, [&] { launch.kernel.launch(launch.arguments, nullptr); }),
             "its dtype must be f16"));
  launch.arguments.q = launch.arguments.out = TensorView::contiguous(address(0x1000), DType::f16, {B, 0, H, D});
  launch.kernel.launch(launch.arguments, nullptr);
  CHECK(calls.count("cuLaunchKernel") == 0);
}
