#include "runtime/launch.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "codegen/parameters.hpp"
#include "tests/errors.hpp"
#include "tests/runtime/launch_operands.hpp"

using namespace flashbias;
using namespace flashbias::runtime;
using testing::address;
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

namespace {

/// A launch that is right in every respect; each test spoils one.
struct ForwardLaunch {
  KernelPlan plan;
  std::vector<BiasInput> inputs;
  AttentionArguments arguments;

  ForwardLaunch() {
    plan.config.dtype = DType::bf16;
    plan.config.head_dim = D;
    plan.config.head_dim_v = Dv;
    plan.config.log_sum_exp = true;
    plan.tile = {.block_q = 64, .block_k = 32, .warps = 4, .reason = ""};
    plan.shared_bytes = 12345;
    plan.inputs = {{.kind = Op::head_scalar, .name = "slopes"},
                   {.kind = Op::key_input, .name = "mask", .dtype = DType::u8}};
    arguments.q = device_tensor(0x1000, DType::bf16, {B, Nq, H, D});
    arguments.k = device_tensor(0x2000, DType::bf16, {B, Nk, Hk, D});
    arguments.v = device_tensor(0x3000, DType::bf16, {B, Nk, Hk, Dv});
    arguments.out = device_tensor(0x4000, DType::bf16, {B, Nq, H, Dv});
    arguments.log_sum_exp = device_tensor(0x5004, DType::f32, {B, H, Nq});
    inputs = {{"mask", device_tensor(0x6001, DType::u8, {B, Nk})}, {"slopes", device_tensor(0x7000, DType::f32, {H})}};
  }

  LaunchPlan prepare() {
    arguments.bias_inputs = inputs;
    return prepare_launch(plan, arguments, kDevice);
  }
  std::string rejection() {
    return message_of(ErrorCode::invalid_argument, [this] { (void)prepare(); });
  }
};

/// Message of a launch with one change.
template <class Change>
std::string forward_rejection(Change change) {
  ForwardLaunch launch;
  change(launch);
  return launch.rejection();
}

/// Reads the packed parameters back, in order.
class ParameterReader {
 public:
  explicit ParameterReader(const LaunchPlan& launch) : launch_(launch) {}
  template <typename Value>
  Value next() {
    Value value;
    std::memcpy(&value, launch_.parameters.data() + position_, sizeof(Value));
    position_ += sizeof(Value);
    return value;
  }
  void expect_words(std::initializer_list<std::uint64_t> words) {
    for (const std::uint64_t word : words) CHECK(next<std::uint64_t>() == word);
  }
  [[nodiscard]] std::size_t position() const { return position_; }

 private:
  const LaunchPlan& launch_;
  std::size_t position_ = 0;
};

}  // namespace

TEST_CASE("a launch packs its parameters in the order of codegen/parameters.hpp") {
  ForwardLaunch launch;
  const LaunchPlan plan = launch.prepare();
  CHECK(plan.steps.front().blocks == B * H * 2);
  CHECK(plan.steps.front().threads == 128);
  CHECK(plan.steps.front().shared_bytes == 12345);

  ParameterReader reader(plan);
  reader.expect_words({0x1000, Nq * H * D, H * D, D});
  reader.expect_words({0x2000, Nk * Hk * D, Hk * D, D});
  reader.expect_words({0x3000, Nk * Hk * Dv, Hk * Dv, Dv});
  reader.expect_words({0x4000, Nq * H * Dv, H * Dv, Dv});
  reader.expect_words({0x5004, H * Nq, Nq});
  reader.expect_words({0x7000, 0, 1, 0});   // slopes, first in the plan
  reader.expect_words({0x6001, Nk, 0, 1});  // mask
  const auto sizes = reader.next<codegen::LaunchSizes>();
  CHECK(sizes.heads == H);
  CHECK(sizes.heads_per_kv_head == 2);
  CHECK(sizes.q_length == Nq);
  CHECK(sizes.kv_length == Nk);
  CHECK(sizes.q_tiles == 2);
  CHECK(sizes.softmax_scale == 0.125F);
  CHECK(sizes.inverse_softmax_scale == 8);
  CHECK(plan.parameter_bytes == reader.position());
}

TEST_CASE("strides may broadcast inputs, and those of dimensions of size 1 do not matter") {
  ForwardLaunch launch;
  launch.arguments.k.strides[0] = 0;
  launch.arguments.v.strides[2] = 0;
  CHECK(launch.prepare().steps.front().blocks == B * H * 2);

  for (TensorView* view : {&launch.arguments.q, &launch.arguments.k, &launch.arguments.v, &launch.arguments.out}) {
    view->shape[0] = 1;
    view->strides[0] = 3;
  }
  launch.arguments.log_sum_exp->shape[0] = 1;
  launch.inputs[0].tensor.shape[0] = 1;
  CHECK(launch.prepare().steps.front().blocks == H * 2);
}

TEST_CASE("no queries or no batch items are nothing to do; no keys are a launch") {
  ForwardLaunch no_queries;
  no_queries.arguments.q.shape[1] = no_queries.arguments.out.shape[1] = no_queries.arguments.log_sum_exp->shape[2] = 0;
  no_queries.arguments.q.data = nullptr;
  CHECK(no_queries.prepare().steps.front().blocks == 0);

  ForwardLaunch no_keys;
  no_keys.arguments.k.shape[1] = no_keys.arguments.v.shape[1] = no_keys.inputs[0].tensor.shape[1] = 0;
  no_keys.arguments.k.data = no_keys.arguments.v.data = no_keys.inputs[0].tensor.data = nullptr;
  CHECK(no_keys.prepare().steps.front().blocks == B * H * 2);
}

TEST_CASE("a shape that does not fit is rejected by name") {
  CHECK(says(forward_rejection([](ForwardLaunch& l) {
               l.arguments.q = device_tensor(0x1000, DType::bf16, {B, Nq, H * D});
             }),
             "q is bf16 [2, 100, 512] strides [51200, 512, 1] on device 1: it must have 4 dimensions, [B, Nq, H, D]"));
  CHECK(says(forward_rejection([](ForwardLaunch& l) { l.arguments.q.shape[3] = 72; }),
             "[B, Nq, H, D] = [2, 100, 8, 64]"));
  CHECK(
      says(forward_rejection([](ForwardLaunch& l) { l.arguments.k.shape[0] = 3; }), "[B, Nk, Hk, D] = [2, 70, 4, 64]"));
  CHECK(says(forward_rejection([](ForwardLaunch& l) { l.arguments.k.shape[3] = 32; }),
             "[B, Nk, Hk, D] = [2, 70, 4, 64]"));
  CHECK(says(forward_rejection([](ForwardLaunch& l) { l.arguments.v.shape[1] = 71; }),
             "[B, Nk, Hk, Dv] = [2, 70, 4, 32]"));
  CHECK(says(forward_rejection([](ForwardLaunch& l) { l.arguments.out.shape[3] = 64; }),
             "[B, Nq, H, Dv] = [2, 100, 8, 32]"));
  CHECK(says(forward_rejection([](ForwardLaunch& l) { l.arguments.log_sum_exp->shape[1] = 4; }),
             "[B, H, Nq] = [2, 8, 100]"));
  CHECK(says(forward_rejection([](ForwardLaunch& l) { l.arguments.k.shape[2] = l.arguments.v.shape[2] = 3; }),
             "must divide the 8 heads of q"));
  CHECK(says(forward_rejection([](ForwardLaunch& l) { l.arguments.k.shape[2] = l.arguments.v.shape[2] = 0; }),
             "must divide the 8 heads of q"));
  CHECK(says(forward_rejection([](ForwardLaunch& l) { l.arguments.q.shape[2] = 0; }), "at least one head"));
}

TEST_CASE("a wrong dtype, device or pointer is rejected by name") {
  CHECK(says(forward_rejection([](ForwardLaunch& l) { l.arguments.k.dtype = DType::f16; }), "k is f16"));
  CHECK(says(forward_rejection([](ForwardLaunch& l) { l.arguments.k.dtype = DType::f16; }), "its dtype must be bf16"));
  CHECK(says(forward_rejection([](ForwardLaunch& l) { l.arguments.log_sum_exp->dtype = DType::bf16; }),
             "its dtype must be f32"));
  CHECK(says(forward_rejection([](ForwardLaunch& l) { l.inputs[1].tensor.dtype = DType::f16; }),
             "its dtype must be f32"));
  CHECK(says(forward_rejection([](ForwardLaunch& l) { l.arguments.v.device = 0; }),
             "on device 0: it must be on device 1"));
  CHECK(says(forward_rejection([](ForwardLaunch& l) { l.arguments.out.device = -1; }),
             "on the host: it must be on device 1"));
  CHECK(says(forward_rejection([](ForwardLaunch& l) { l.inputs[0].tensor.device = 0; }), "bias input 'mask' is u8"));
  CHECK(says(forward_rejection([](ForwardLaunch& l) { l.arguments.q.data = nullptr; }), "its pointer is null"));
  CHECK(says(forward_rejection([](ForwardLaunch& l) { l.arguments.q.data = address(0x1008); }),
             "its address 0x1008 must be a multiple"));
  CHECK(says(forward_rejection([](ForwardLaunch& l) { l.arguments.log_sum_exp->data = address(0x5002); }),
             "a multiple of 4 bytes"));
}

TEST_CASE("strides that the kernel cannot read or write are rejected") {
  CHECK(says(forward_rejection([](ForwardLaunch& l) { l.arguments.q.strides[3] = 2; }),
             "its last dimension must be contiguous"));
  CHECK(says(forward_rejection([](ForwardLaunch& l) { l.arguments.k.strides[1] += 4; }),
             "multiples of 16 bytes (8 elements)"));
  CHECK(says(forward_rejection([](ForwardLaunch& l) { l.arguments.out.strides[0] = 0; }), "out is"));
  CHECK(says(forward_rejection([](ForwardLaunch& l) { l.arguments.out.strides[0] = 0; }), "may be 0"));
  CHECK(says(forward_rejection([](ForwardLaunch& l) { l.arguments.log_sum_exp->strides[1] = 0; }), "may be 0"));
  CHECK(
      says(forward_rejection([](ForwardLaunch& l) { l.arguments.log_sum_exp->strides[2] = 2; }), "must be contiguous"));
}

TEST_CASE("elements of what is written do not overlap, whatever the order and the sign of strides") {
  const auto out_with = [](std::int64_t batch, std::int64_t row, std::int64_t head) {
    ForwardLaunch launch;
    const auto& shape = launch.arguments.out.shape;
    REQUIRE(shape == std::array<std::int64_t, 4>{B, Nq, H, Dv});
    launch.arguments.out.strides = {batch, row, head, 1};
    return launch;
  };
  CHECK(
      says(out_with(Nq * H * Dv, H * Dv, 8).rejection(),
           "so its elements must lie apart: the stride 8 must be at least 32, which the dimensions of smaller strides "
           "span"));
  CHECK(says(out_with(Nq * H * Dv, H * Dv - 8, Dv).rejection(), "the stride 248 must be at least 256"));
  CHECK(says(out_with(Nq * H * Dv, 8 - H * Dv, Dv).rejection(), "the stride 248 must be at least 256"));
  CHECK(says(out_with(Nq * H * Dv - 8, H * Dv, Dv).rejection(), "must be at least 25600"));
  (void)out_with(Nq * H * Dv, Dv, Nq * Dv).prepare();  // [B, H, Nq, Dv]
  (void)out_with(Nq * H * Dv, -H * Dv, Dv).prepare();
  (void)out_with(H * Dv, B * H * Dv, Dv).prepare();  // [Nq, B, H, Dv]
  ForwardLaunch one_head = out_with(Nq * Dv, Dv, 8);
  for (TensorView* tensor :
       {&one_head.arguments.q, &one_head.arguments.k, &one_head.arguments.v, &one_head.arguments.out})
    tensor->shape[2] = 1;
  one_head.arguments.log_sum_exp->shape[1] = 1;
  one_head.inputs[1].tensor.shape[0] = 1;
  (void)one_head.prepare();
}

TEST_CASE("log_sum_exp is given exactly when the config asks for it") {
  CHECK(says(forward_rejection([](ForwardLaunch& l) { l.arguments.log_sum_exp.reset(); }), "log_sum_exp is missing"));
  CHECK(says(forward_rejection([](ForwardLaunch& l) { l.plan.config.log_sum_exp = false; }),
             "the kernel does not write it"));

  ForwardLaunch without;
  const std::size_t bytes = without.prepare().parameter_bytes;
  without.plan.config.log_sum_exp = false;
  without.arguments.log_sum_exp.reset();
  CHECK(without.prepare().parameter_bytes == bytes - 24);
}

TEST_CASE("bias inputs are exactly those of the plan") {
  CHECK(says(forward_rejection([](ForwardLaunch& l) { l.inputs.pop_back(); }),
             "bias input 'slopes' is missing; the bias reads 'slopes', 'mask'"));
  CHECK(says(forward_rejection([](ForwardLaunch& l) { l.inputs[0].name = "masc"; }), "bias input 'mask' is missing"));
  CHECK(says(forward_rejection([](ForwardLaunch& l) {
               l.inputs.push_back({"extra", l.inputs[0].tensor});
             }),
             "bias input 'extra' is not read by the bias, which reads 'slopes', 'mask'"));
  CHECK(says(forward_rejection([](ForwardLaunch& l) { l.inputs.push_back(l.inputs[0]); }),
             "bias input 'mask' is given twice"));
  CHECK(says(forward_rejection([](ForwardLaunch& l) { l.plan.inputs.clear(); }),
             "bias input 'mask' is not read by the bias, which reads none"));
}

TEST_CASE("the softmax scale is positive, and so far from 0 and infinity that biases can be divided by it") {
  for (const float scale : {0.0F, -1.0F, 0x1p-41F, 0x1p41F, std::numeric_limits<float>::infinity(), std::nanf("")}) {
    CHECK(says(forward_rejection([=](ForwardLaunch& l) { l.arguments.softmax_scale = scale; }), "softmax_scale is"));
  }
  for (const float scale : {0x1p-40F, 2.5F, 0x1p40F}) {
    ForwardLaunch launch;
    launch.arguments.softmax_scale = scale;
    const LaunchPlan plan = launch.prepare();
    codegen::LaunchSizes sizes;
    std::memcpy(&sizes, plan.parameters.data() + plan.parameter_bytes - sizeof sizes, sizeof sizes);
    CHECK(sizes.softmax_scale == scale);
    CHECK(sizes.inverse_softmax_scale == 1 / scale);
  }
}

TEST_CASE("sizes beyond the kernel's index types are rejected") {
  CHECK(
      says(forward_rejection([](ForwardLaunch& l) { l.arguments.k.shape[1] = l.arguments.v.shape[1] = (1 << 24) + 1; }),
           "the key length Nk is 16777217: at most 16777216 are supported"));
  CHECK(says(
      forward_rejection([](ForwardLaunch& l) { l.arguments.q.shape[1] = std::numeric_limits<std::int64_t>::max(); }),
      "the query length Nq is"));
  CHECK(says(forward_rejection([](ForwardLaunch& l) {
               for (TensorView* view : {&l.arguments.q, &l.arguments.k, &l.arguments.v}) view->shape[0] = 1 << 29;
             }),
             "B * H is 4294967296"));
  CHECK(says(forward_rejection([](ForwardLaunch& l) {
               for (TensorView* view : {&l.arguments.q, &l.arguments.k, &l.arguments.v}) view->shape[0] = 1 << 27;
             }),
             "B * H * ceil(Nq / block_q) is 2147483648: at most 2147483647"));
}

TEST_CASE("more bias inputs than kernel parameters hold are rejected") {
  ForwardLaunch launch;
  launch.plan.inputs.assign(123, launch.plan.inputs[0]);
  CHECK(says(launch.rejection(), "the number of bias inputs is 123: at most 122"));
}
