#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

#include "flashbias/device_buffer.hpp"
#include "flashbias/jit.hpp"
#include "flashbias/reference.hpp"
#include "runtime/driver.hpp"

namespace flashbias::testing {
namespace {

constexpr std::int64_t kLength = 200;
constexpr std::int64_t kHeads = 2;
constexpr std::int64_t kHeadDim = 64;
constexpr std::size_t kElements = kLength * kHeads * kHeadDim;

std::vector<std::uint16_t> random_tokens() {
  std::vector<std::uint16_t> tokens(kElements);
  const TensorView view = TensorView::contiguous(tokens.data(), DType::f16, {static_cast<std::int64_t>(kElements)}, -1);
  std::mt19937_64 random(std::random_device{}());
  for (std::size_t i = 0; i < kElements; ++i)
    reference::write_element(view, static_cast<std::int64_t>(i), std::normal_distribution<>()(random));
  return tokens;
}

TensorView tokens_view(const DeviceBuffer& buffer) {
  return TensorView::contiguous(buffer.data(), DType::f16, {1, kLength, kHeads, kHeadDim});
}

std::vector<std::uint16_t> download(const DeviceBuffer& buffer) {
  std::vector<std::uint16_t> elements(kElements);
  buffer.download(elements.data());
  return elements;
}

}  // namespace

TEST_CASE("a launch can be captured in a CUDA graph, and its replay gives the same bits") {
  const std::vector<std::uint16_t> tokens = random_tokens();
  const DeviceBuffer q(tokens.data(), kElements * 2);
  const std::array<float, kHeads> slope_values{0.5F, 0.0625F};
  const DeviceBuffer slopes(slope_values.data(), sizeof(slope_values));
  DeviceBuffer out(kElements * 2);
  const Kernel kernel = jit::get({.head_dim = kHeadDim, .bias = bias::alibi(), .causal = true});
  const std::array inputs{BiasInput{"slopes", TensorView::contiguous(slopes.data(), DType::f32, {kHeads})}};
  const AttentionArguments arguments{
      .q = tokens_view(q), .k = tokens_view(q), .v = tokens_view(q), .out = tokens_view(out), .bias_inputs = inputs};
  kernel.launch(arguments, nullptr);
  const std::vector<std::uint16_t> direct = download(out);

  const runtime::Driver& driver = runtime::Driver::get();
  runtime::CUstream stream = nullptr;
  runtime::CUgraph graph = nullptr;
  runtime::CUgraphExec executable = nullptr;
  driver.check(driver.cuStreamCreate(&stream, 0), "create a stream");
  driver.check(driver.cuStreamBeginCapture(stream, runtime::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL), "begin the capture");
  kernel.launch(arguments, stream);
  driver.check(driver.cuStreamEndCapture(stream, &graph), "end the capture");
  driver.check(driver.cuGraphInstantiateWithFlags(&executable, graph, 0), "instantiate the graph");
  out.fill(0xff);
  driver.check(driver.cuGraphLaunch(executable, stream), "launch the graph");
  driver.check(driver.cuStreamSynchronize(stream), "wait for the graph");
  CHECK(download(out) == direct);
  driver.check(driver.cuGraphExecDestroy(executable), "destroy the executable graph");
  driver.check(driver.cuGraphDestroy(graph), "destroy the graph");
  driver.check(driver.cuStreamDestroy(stream), "destroy the stream");
}

}  // namespace flashbias::testing
