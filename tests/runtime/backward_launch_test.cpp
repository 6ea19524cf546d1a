#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "codegen/backward_planner.hpp"
#include "codegen/parameters.hpp"
#include "runtime/launch.hpp"
#include "tests/errors.hpp"
#include "tests/runtime/launch_operands.hpp"

namespace flashbias::runtime {
namespace {

using testing::B;
using testing::D;
using testing::device_tensor;
using testing::Dv;
using testing::H;
using testing::Hk;
using testing::kDevice;
using testing::message_of;
using testing::Nk;
using testing::Nq;
using testing::says;

/// A launch that is right in every respect; each test spoils one.
struct BackwardLaunch {
  KernelPlan plan = flashbias::plan({.direction = Direction::backward,
                                     .head_dim = D,
                                     .head_dim_v = Dv,
                                     .bias = bias::alibi(),
                                     .arch = Arch{80},
                                     .gradients = {"q", "v", "slopes"}});
  std::vector<BiasInput> inputs{{"slopes", device_tensor(0x9000, DType::f32, {H})}};
  std::vector<GradientOutput> gradients{{"slopes", device_tensor(0xa000, DType::f32, {H})},
                                        {"v", device_tensor(0xb000, DType::f16, {B, Nk, Hk, Dv})},
                                        {"q", device_tensor(0xc000, DType::f16, {B, Nq, H, D})}};
  BackwardArguments arguments{.q = device_tensor(0x1000, DType::f16, {B, Nq, H, D}),
                              .k = device_tensor(0x2000, DType::f16, {B, Nk, Hk, D}),
                              .v = device_tensor(0x3000, DType::f16, {B, Nk, Hk, Dv}),
                              .out = device_tensor(0x4000, DType::f16, {B, Nq, H, Dv}),
                              .log_sum_exp = device_tensor(0x5004, DType::f32, {B, H, Nq}),
                              .d_out = device_tensor(0x6000, DType::f16, {B, Nq, H, Dv})};

  LaunchPlan prepare() {
    arguments.bias_inputs = inputs;
    arguments.gradients = gradients;
    return prepare_backward_launch(plan, arguments, kDevice);
  }
};

KernelPlan alibi_plan(Arch arch, std::vector<std::string> gradients, bool deterministic) {
  return flashbias::plan({.direction = Direction::backward,
                          .head_dim = D,
                          .head_dim_v = Dv,
                          .bias = bias::alibi(),
                          .arch = arch,
                          .gradients = std::move(gradients),
                          .deterministic = deterministic});
}

template <class Change>
std::string backward_rejection(Change change) {
  BackwardLaunch launch;
  change(launch);
  return message_of(ErrorCode::invalid_argument, [&] { (void)launch.prepare(); });
}

}  // namespace

TEST_CASE("a backward launch has blocks for each pass and parameters in their order") {
  const LaunchPlan launch = BackwardLaunch().prepare();
  CHECK(launch.steps[0].role == KernelRole::statistics);
  CHECK(launch.steps[1].blocks == B * Hk * 2);  // tiles of 64
  CHECK(launch.steps[1].threads == 128);
  CHECK(launch.steps[2].blocks == B * H * 2);
  CHECK(launch.steps[2].first_block == B * Hk * 2);
  CHECK(launch.steps[3].blocks == 0);
  std::vector<std::uint64_t> words(launch.parameter_bytes / 8);
  std::memcpy(words.data(), launch.parameters.data(), launch.parameter_bytes);
  std::vector<std::uint64_t> pointers;
  for (std::size_t i = 0; i < 8; ++i) pointers.push_back(words[4 * i]);
  CHECK(pointers == std::vector<std::uint64_t>{0x1000, 0x2000, 0x3000, 0x4000, 0x6000, 0xc000, 0, 0xb000});
  CHECK(words[32] == 0x5004);
  CHECK(words[35] == 0x9000);
  CHECK(words[39] == 0xa000);
  codegen::BackwardSizes sizes;
  CHECK(launch.workspace_parameter == 8 * 43);
  CHECK(words[44] == B * H * Nq * 2);  // where sums would begin, ...
  CHECK(words[45] == B * H * Nq * 2);  // ... and end
  std::memcpy(static_cast<void*>(&sizes), words.data() + 46, sizeof(sizes));
  CHECK(sizes.heads_per_kv_head == 2);
  CHECK(sizes.q_tiles == 2);
  CHECK(sizes.kv_tiles == 2);
  CHECK(sizes.query_blocks == B * H * 2);
  CHECK(sizes.key_blocks == B * Hk * 2);
  CHECK(sizes.softmax_scale == 0.125F);
}

TEST_CASE("a backward launch that does not fit is refused by name") {
  CHECK(backward_rejection([](BackwardLaunch& l) { l.gradients.pop_back(); }) ==
        "the gradient of 'q' is missing; the kernel writes those of q, v, slopes");
  CHECK(backward_rejection([](BackwardLaunch& l) {
          l.gradients.push_back({"k", l.arguments.k});
        }) == "the gradient of 'k' is given, but the kernel writes those of q, v, slopes alone");
  CHECK(backward_rejection([](BackwardLaunch& l) { l.gradients.push_back(l.gradients.front()); }) ==
        "the gradient of 'slopes' is given twice");
  const auto refuses = [](auto change, std::string_view actual, std::string_view expected) {
    const std::string message = backward_rejection(change);
    CAPTURE(message);
    CHECK(says(message, actual));
    CHECK(says(message, expected));
  };
  refuses(
      [](BackwardLaunch& l) {
        l.arguments.log_sum_exp = device_tensor(0x5004, DType::f32, {B, Nq, H});
      },
      "log_sum_exp is f32 [2, 100, 8]", "[B, H, Nq] = [2, 8, 100]");
  refuses([](BackwardLaunch& l) { l.arguments.d_out.dtype = DType::bf16; }, "d_out is bf16", "must be f16");
  refuses([](BackwardLaunch& l) { l.gradients[1].tensor.shape[1] = 71; }, "the gradient of v is", "2, 70, 4, 32");
  refuses([](BackwardLaunch& l) { l.gradients[2].tensor.strides[0] = 0; }, "the gradient of q is",
          "no stride of a dimension larger than 1 may be 0");
  refuses([](BackwardLaunch& l) { l.gradients[0].tensor.dtype = DType::f16; }, "the gradient of bias input 'slopes' is",
          "its dtype must be f32");
  refuses([](BackwardLaunch& l) { l.gradients[0].tensor.shape[0] = 4; }, "[4]", "the shape of the input");
  refuses([](BackwardLaunch& l) { l.gradients[0].tensor.strides[0] = 2; }, "strides [2]", "must be contiguous");
  CHECK(backward_rejection([](BackwardLaunch& l) { l.inputs.clear(); }) ==
        "bias input 'slopes' is missing; the bias reads 'slopes'");
}

TEST_CASE(
    "deterministic gradients that several warps add to have exact sums in the workspace and a step of their own") {
  constexpr std::size_t kStatistics = B * H * Nq * 2 * sizeof(float);
  constexpr std::size_t kExactSum = 80;
  for (const Arch arch : {Arch{80}, Arch{90}}) {
    BackwardLaunch launch;
    launch.plan = alibi_plan(arch, {"q", "v", "slopes"}, true);
    const LaunchPlan made = launch.prepare();
    CHECK(made.steps[3].role == KernelRole::sums);
    CHECK(made.steps[3].blocks == 1);
    CHECK(made.workspace_bytes == kStatistics + H * kExactSum);
  }
  BackwardLaunch launch;
  launch.plan = flashbias::plan({.direction = Direction::backward,
                                 .head_dim = D,
                                 .head_dim_v = Dv,
                                 .bias = bias::key_input("height"),
                                 .arch = Arch{80},
                                 .gradients = {"height", "v"},
                                 .deterministic = true});
  launch.gradients = {launch.gradients[1]};
  const auto prepare = [&](std::initializer_list<std::int64_t> shape) {
    launch.inputs = {{"height", device_tensor(0x9000, DType::f32, shape)}};
    launch.gradients.resize(1);
    launch.gradients.push_back({"height", device_tensor(0xa000, DType::f32, shape)});
    return launch.prepare();
  };
  const LaunchPlan of_all_heads = prepare({B, Nk, 1});
  CHECK(of_all_heads.workspace_bytes == kStatistics + B * Nk * kExactSum);
  CHECK(of_all_heads.steps[2].role == KernelRole::sums);
  const LaunchPlan of_each = prepare({B, Nk, H});
  CHECK(of_each.workspace_bytes == kStatistics);
  CHECK(of_each.steps[2].blocks == 0);
}

TEST_CASE("a backward launch has a step for each kernel, and a workspace for what they hand over") {
  const auto prepare = [](Arch arch, bool deterministic) {
    BackwardLaunch launch;
    launch.plan = alibi_plan(arch, {"q", "v"}, deterministic);
    launch.gradients.erase(launch.gradients.begin());
    return launch.prepare();
  };
  constexpr std::size_t kStatistics = B * H * Nq * 2 * sizeof(float);
  for (const Arch arch : {Arch{80}, Arch{90}}) {
    const LaunchPlan shared = prepare(arch, false);
    CHECK(shared.steps[0].role == KernelRole::statistics);
    CHECK(shared.steps[1].role == KernelRole::attention);
    CHECK(shared.steps[1].blocks == B * Hk);  // 128 keys each
    CHECK(shared.steps[2].role == KernelRole::sums);
    CHECK(shared.steps[3].blocks == 0);
    CHECK(shared.workspace_bytes == kStatistics + B * H * 128 * D * sizeof(float));
  }
  const LaunchPlan apart = prepare(Arch{90}, true);
  CHECK(apart.steps[1].blocks == B * Hk);
  CHECK(apart.steps[2].role == KernelRole::attention);
  CHECK(apart.steps[2].first_block == B * Hk);
  CHECK(apart.steps[2].blocks == B * H);
  CHECK(apart.steps[3].blocks == 0);
  CHECK(apart.workspace_bytes == kStatistics);
}

namespace {

/// Of a bias with `inputs` head scalars, and all gradients.
AttentionConfig of_many_inputs(int inputs, Arch arch, bool deterministic) {
  std::string text;
  for (int i = 0; i < inputs; ++i)
    text += fmt::format("{}head_scalar(a{}) * real(abs(q_index() - kv_index() + {}))", i == 0 ? "" : " + ", i, i);
  return {.direction = Direction::backward,
          .head_dim = 8,
          .bias = parse_expr(text),
          .arch = arch,
          .deterministic = deterministic};
}

LaunchPlan prepare_of_many_inputs(const KernelPlan& plan) {
  const auto tensor_of_8 = [](std::int64_t length) { return device_tensor(0x1000, DType::f16, {1, length, 1, 8}); };
  std::vector<BiasInput> inputs;
  std::vector<GradientOutput> gradients{{"q", tensor_of_8(16)}, {"k", tensor_of_8(16)}, {"v", tensor_of_8(16)}};
  for (const InputSpec& input : plan.inputs) inputs.push_back({input.name, device_tensor(0x2000, DType::f32, {1})});
  for (const InputSpec& input : plan.input_gradients)
    gradients.push_back({input.name, device_tensor(0x3000, DType::f32, {1})});
  return prepare_backward_launch(plan,
                                 {.q = tensor_of_8(16),
                                  .k = tensor_of_8(16),
                                  .v = tensor_of_8(16),
                                  .out = tensor_of_8(16),
                                  .log_sum_exp = device_tensor(0x4000, DType::f32, {1, 1, 16}),
                                  .d_out = tensor_of_8(16),
                                  .bias_inputs = inputs,
                                  .gradients = gradients},
                                 kDevice);
}

}  // namespace

TEST_CASE("the plan knows how many bytes of parameters a backward launch takes, and refuses more than there are") {
  const auto bytes_of = [](int inputs, Arch arch, bool deterministic) {
    const KernelPlan plan = flashbias::plan(of_many_inputs(inputs, arch, deterministic));
    const LaunchPlan launch = prepare_of_many_inputs(plan);
    const bool is_hopper = plan.main_loop == MainLoop::hopper;
    CHECK(launch.parameter_bytes ==
          codegen::size_in_bytes({.tensor_maps = is_hopper ? codegen::kBackwardTensorMaps : 0,
                                  .tensors_of_bias = plan.inputs.size() + plan.input_gradients.size(),
                                  .sums_of_inputs = codegen::summed_inputs(plan).size()}));
    return std::pair{launch.parameter_bytes, plan.main_loop};
  };
  CHECK(bytes_of(46, Arch{80}, true) == std::pair{std::size_t{4032}, MainLoop::portable});
  CHECK(bytes_of(56, Arch{80}, false) == std::pair{std::size_t{3936}, MainLoop::portable});
  CHECK(bytes_of(40, Arch{90}, true) == std::pair{std::size_t{4064}, MainLoop::hopper});
  CHECK(bytes_of(46, Arch{90}, true) == std::pair{std::size_t{4032}, MainLoop::portable});
  CHECK(bytes_of(50, Arch{90}, false) == std::pair{std::size_t{4064}, MainLoop::hopper});
  CHECK(bytes_of(56, Arch{90}, false) == std::pair{std::size_t{3936}, MainLoop::portable});
  for (const Arch arch : {Arch{80}, Arch{90}}) {
    const auto refusal = [&](int inputs, bool deterministic) {
      return message_of(ErrorCode::invalid_config,
                        [&] { (void)flashbias::plan(of_many_inputs(inputs, arch, deterministic)); });
    };
    CHECK(refusal(47, true) ==
          "gradients: the bias has 47 inputs, and 47 of their gradients are asked for: their launch takes 4112 bytes "
          "of parameters, and at most 4096 fit; name the gradients that you need, or leave out deterministic=true");
    CHECK(says(refusal(56, true), "takes 4832 bytes"));
    CHECK(refusal(60, false) ==
          "gradients: the bias has 60 inputs, and 60 of their gradients are asked for: their launch takes 4192 bytes "
          "of parameters, and at most 4096 fit; name the gradients that you need");
  }
}

TEST_CASE("parameters beyond those of a launch are never written") {
  KernelPlan plan = flashbias::plan(of_many_inputs(46, Arch{80}, true));
  for (int i = 0; i < 3; ++i) {
    plan.inputs.push_back(plan.inputs.front());
    plan.inputs.back().name = fmt::format("more{}", i);
  }
  CHECK_THROWS_AS((void)prepare_of_many_inputs(plan), std::logic_error);
}

TEST_CASE("each direction has a launch of its own") {
  BackwardLaunch backward;
  CHECK(says(message_of(ErrorCode::invalid_argument, [&] { (void)prepare_launch(backward.plan, {}, kDevice); }),
             "use launch_backward"));
  backward.plan = flashbias::plan({.arch = Arch{80}});
  CHECK(says(message_of(ErrorCode::invalid_argument, [&] { (void)backward.prepare(); }), "use launch,"));
}

}  // namespace flashbias::runtime
