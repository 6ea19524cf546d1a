#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "codegen/parameters.hpp"
#include "flashbias/jit.hpp"
#include "tests/driver/allocations.hpp"
#include "tests/driver/fake_driver.hpp"
#include "tests/driver/launch_operands.hpp"
#include "tests/errors.hpp"

using namespace flashbias;
using namespace flashbias::testing;

namespace {

/// A launch of an ALiBi kernel, with the main loop for Hopper unless another architecture is named.
struct Launch {
  explicit Launch(Arch arch = Arch{90})
      : kernel(jit::get({.head_dim = D, .bias = bias::alibi(), .causal = true, .arch = arch})) {}

  Kernel kernel;
  std::array<BiasInput, 1> inputs{{{"slopes", TensorView::contiguous(address(0x5000), DType::f32, {H})}}};
  AttentionArguments arguments{.q = TensorView::contiguous(address(0x1000), DType::f16, {B, Nq, H, D}),
                               .k = TensorView::contiguous(address(0x2000), DType::f16, {B, Nk, Hk, D}),
                               .v = TensorView::contiguous(address(0x3000), DType::f16, {B, Nk, Hk, D}),
                               .out = TensorView::contiguous(address(0x4000), DType::f16, {B, Nq, H, D}),
                               .bias_inputs = inputs,
                               .softmax_scale = 0.5F};

  void place_on(int device) {
    for (TensorView* tensor : {&arguments.q, &arguments.k, &arguments.v, &arguments.out, &inputs[0].tensor})
      tensor->device = device;
  }
};

/// The kernel's parameter struct, as codegen/parameters.hpp orders it.
struct Parameters {
  std::array<EncodedTensorMap, 3> maps;  // of the main loop for Hopper alone, 128 bytes each
  struct Tensor {
    std::uint64_t pointer;
    std::array<std::int64_t, 3> strides;
  };
  Tensor q, k, v, out, slopes;
  codegen::LaunchSizes sizes;
};

Parameters parameters_of(const RecordedLaunch& launch, MainLoop main_loop) {
  Parameters parameters{};
  const std::byte* next = launch.parameters.data();
  if (main_loop == MainLoop::hopper) {
    for (EncodedTensorMap& map : parameters.maps) {
      std::memcpy(&map, next, sizeof(map));
      next += codegen::kTensorMapBytes;
    }
  }
  std::memcpy(&parameters.q, next, sizeof(parameters) - offsetof(Parameters, q));
  return parameters;
}

using Strides = std::array<std::int64_t, 3>;

}  // namespace

TEST_CASE("a launch hands the driver the plan's grid, the stream and the parameters, and allocates nothing") {
  int device_index = kHopper;
  SUBCASE("of the main loop for Hopper") {}
  SUBCASE("of the portable one") { device_index = kAmpere; }
  const CurrentDevice device(device_index);
  Launch launch(device_index == kHopper ? Arch{90} : Arch{80});
  launch.place_on(device_index);
  auto* const stream = static_cast<CUstream_st*>(address(0x6000));
  const KernelPlan& plan = launch.kernel.plan();
  const long before = allocations();
  launch.kernel.launch(launch.arguments, stream);
  CHECK(allocations() == before);

  const RecordedLaunch given = last_launch();
  const std::int64_t q_tiles = (Nq + plan.tile.block_q - 1) / plan.tile.block_q;
  const bool is_hopper = plan.main_loop == MainLoop::hopper;
  CHECK(is_hopper == (device_index == kHopper));
  const std::int64_t work_items = is_hopper ? B * H * ((q_tiles + 1) / 2) : B * H * q_tiles;
  CHECK(given.blocks == (is_hopper ? kMultiprocessors : work_items));
  CHECK(given.threads == static_cast<unsigned>(plan.tile.warps * 32 + (is_hopper ? codegen::kProducerThreads : 0)));
  CHECK(given.shared_bytes == static_cast<unsigned>(plan.shared_bytes));
  CHECK(given.stream == stream);

  const Parameters parameters = parameters_of(given, plan.main_loop);
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
  CHECK(parameters.sizes.work_items == work_items);
}

TEST_CASE("the copy engine is told of each tensor: columns, rows, heads, batch items") {
  const CurrentDevice device(kHopper);
  Launch launch;
  const auto maps_of_launch = [&] {
    launch.kernel.launch(launch.arguments, nullptr);
    return parameters_of(last_launch(), MainLoop::hopper).maps;
  };
  const auto [q, k, v] = maps_of_launch();
  const Tile& tile = launch.kernel.plan().tile;
  CHECK(q.address == address(0x1000));
  CHECK(q.sizes == std::array<std::uint64_t, 4>{D, Nq, H, B});
  CHECK(q.strides == std::array<std::uint64_t, 3>{H * D * 2, D * 2, Nq * H * D * 2});
  CHECK(q.box == std::array<std::uint32_t, 4>{64, static_cast<std::uint32_t>(tile.block_q), 1, 1});
  CHECK(k.address == address(0x2000));
  CHECK(k.sizes == std::array<std::uint64_t, 4>{D, Nk, Hk, B});
  CHECK(k.box == std::array<std::uint32_t, 4>{64, static_cast<std::uint32_t>(tile.block_k), 1, 1});
  CHECK(v.address == address(0x3000));
  CHECK(v.swizzle == runtime::CU_TENSOR_MAP_SWIZZLE_128B);

  SUBCASE("a dimension that is broadcast has stride 0, one that is never stepped along any") {
    launch.arguments.k.strides[0] = 0;
    CHECK(maps_of_launch()[1].strides == std::array<std::uint64_t, 3>{Hk * D * 2, D * 2, 0});
    launch.arguments.q = launch.arguments.out = TensorView::contiguous(address(0x1000), DType::f16, {B, 1, H, D});
    launch.arguments.q.strides[1] = 3;
    CHECK(maps_of_launch()[0].strides[0] % 16 == 0);
  }
  SUBCASE("a stride that the engine cannot take is refused") {
    launch.arguments.k.strides[1] = -8;
    CHECK(says(message_of(ErrorCode::invalid_argument, [&] { launch.kernel.launch(launch.arguments, nullptr); }),
               "its strides must lie between 0 and 2^40 bytes"));
  }
  SUBCASE("without keys there is nothing to tell of them") {
    launch.arguments.k = launch.arguments.v = TensorView::contiguous(nullptr, DType::f16, {B, 0, Hk, D});
    const RecordedCalls calls;
    launch.kernel.launch(launch.arguments, nullptr);
    CHECK(calls.names() == std::vector<std::string>{"cuCtxGetDevice", "cuLaunchKernel"});
  }
}

TEST_CASE("the copy engine is told of a dense bias whose rows it can read, shared by the batch or not") {
  const CurrentDevice device(kHopper);
  Launch launch;
  launch.kernel = jit::get({.head_dim = D, .bias = bias::dense(), .arch = Arch{90}});
  REQUIRE(launch.kernel.plan().fetched_pairs == std::vector<std::string>{"bias"});
  TensorView& bias = launch.inputs[0].tensor;
  launch.inputs[0].name = "bias";
  constexpr std::int64_t kPitch = 72;  // of 16-byte pieces; Nk is not
  bias = TensorView::contiguous(address(0x5000), DType::f16, {1, H, Nq, Nk});
  bias.strides[2] = kPitch;
  bias.strides[1] = Nq * kPitch;
  const RecordedCalls calls;
  const auto described = [&] {
    const std::int64_t before = calls.count("cuTensorMapEncodeTiled");
    launch.kernel.launch(launch.arguments, nullptr);
    return calls.count("cuTensorMapEncodeTiled") - before - 3;
  };
  SUBCASE("aligned rows") {
    CHECK(described() == 1);
    EncodedTensorMap map{};
    std::memcpy(&map, last_launch().parameters.data() + 3 * codegen::kTensorMapBytes, sizeof(map));
    CHECK(map.address == address(0x5000));
    CHECK(map.sizes == std::array<std::uint64_t, 4>{Nk, Nq, H, B});
    CHECK(map.strides == std::array<std::uint64_t, 3>{kPitch * 2, Nq * kPitch * 2, 0});
    const auto rows = static_cast<std::uint32_t>(launch.kernel.plan().tile.block_q);
    CHECK(map.box == std::array<std::uint32_t, 4>{64, rows, 1, 1});
    CHECK(map.swizzle == runtime::CU_TENSOR_MAP_SWIZZLE_128B);
  }
  SUBCASE("rows that begin anywhere") {
    bias = TensorView::contiguous(address(0x5000), DType::f16, {1, H, Nq, Nk});
    CHECK(described() == 0);
  }
  SUBCASE("a pointer that is not aligned") {
    bias.data = address(0x5002);
    CHECK(described() == 0);
  }
  SUBCASE("rows from the last to the first") {
    bias.strides[2] = -kPitch;
    CHECK(described() == 0);
  }
}

TEST_CASE("a launch asks for the current device, describes its tensors and launches: nothing else reaches the driver") {
  const CurrentDevice device(kHopper);
  const Launch launch;
  const RecordedCalls calls;
  launch.kernel.launch(launch.arguments, nullptr);
  CHECK(calls.names() == std::vector<std::string>{"cuCtxGetDevice", "cuTensorMapEncodeTiled", "cuTensorMapEncodeTiled",
                                                  "cuTensorMapEncodeTiled", "cuLaunchKernel"});
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
  launch.place_on(kAmpere);
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
