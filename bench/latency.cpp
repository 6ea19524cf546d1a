// Host-side costs: the first `get` of each model of the zoo (cold, or a disk hit where the cache is warm), a memory
// hit, and what a launch adds to the driver's own cuLaunchKernel. Run it twice with one FLASHBIAS_CACHE_DIR: cold, then
// warm.
//
//     FLASHBIAS_CACHE_DIR=$(mktemp -d) taskset -c 0 build/bin/flashbias_latency examples/models.json
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "flashbias/device_buffer.hpp"
#include "flashbias/jit.hpp"
#include "runtime/driver.hpp"
#include "runtime/launch.hpp"
#include "runtime/loaded_kernel.hpp"
#include "runtime/tensor_maps.hpp"

namespace flashbias {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

/// Median over `rounds` of the time of one call, measured over `calls` at once.
template <class Call>
double seconds_a_call(int rounds, int calls, const Call& call, const auto& between) {
  std::vector<double> times;
  for (int round = 0; round < rounds; ++round) {
    between();
    const Clock::time_point start = Clock::now();
    for (int i = 0; i < calls; ++i) call();
    times.push_back(seconds_since(start) / calls);
  }
  return median(times);
}

void first_gets(const std::string& manifest) {
  std::ifstream file(manifest);
  const nlohmann::json models = nlohmann::json::parse(file);
  std::vector<double> times;
  std::set<std::string> seen;
  for (const auto& model : models.at("kernels")) {
    const AttentionConfig config = parse_config(model.at("config").get<std::string>());
    if (!seen.insert(to_string(config)).second) continue;  // models that share a kernel
    const Clock::time_point start = Clock::now();
    static_cast<void>(jit::get(config));
    times.push_back(seconds_since(start));
    fmt::print("  first get {:9.3f} ms  {}\n", times.back() * 1e3, model.at("name").get<std::string>());
  }
  fmt::print("first get, median of {}: {:.3f} ms, worst {:.3f} ms\n", times.size(), median(times) * 1e3,
             *std::ranges::max_element(times) * 1e3);
}

void hits_and_launches() {
  const AttentionConfig config{.head_dim = 64, .bias = bias::alibi(), .causal = true};
  const Kernel kernel = jit::get(config);
  constexpr std::int64_t kLength = 64;
  constexpr std::int64_t kHeads = 4;
  const DeviceBuffer tokens(kLength * kHeads * 64 * 2);
  const DeviceBuffer slopes(kHeads * sizeof(float));
  const TensorView view = TensorView::contiguous(tokens.data(), DType::f16, {1, kLength, kHeads, 64});
  const std::vector<BiasInput> inputs = {{"slopes", TensorView::contiguous(slopes.data(), DType::f32, {kHeads})}};
  AttentionArguments arguments{view, view, view, view};
  arguments.bias_inputs = inputs;

  // The buffers have made a context current, as it is wherever kernels are launched.
  const double hit = seconds_a_call(
      21, 100000, [&] { static_cast<void>(jit::get(config)); }, [] {});
  fmt::print("memory hit: {:.0f} ns\n", hit * 1e9);

  const runtime::Driver& driver = runtime::Driver::get();
  AttentionConfig resolved = config;
  resolved.arch = jit::current_arch();
  const jit::CachedCubin cubin = jit::get_cubin(resolved);
  const runtime::LoadedKernel loaded(driver, cubin.cubin.image, cubin.plan);
  runtime::LaunchPlan launch = runtime::prepare_launch(cubin.plan, arguments, 0);
  if (cubin.plan.main_loop == MainLoop::hopper) runtime::encode_tensor_maps(driver, cubin.plan, arguments, launch);
  const auto synchronize = [&] { driver.check(driver.cuCtxSynchronize(), "synchronize"); };
  // Fewer calls than the stream's queue holds, so that no launch waits for the GPU.
  constexpr int kCalls = 200;
  const double bare = seconds_a_call(
      101, kCalls, [&] { loaded.launch(launch, launch.steps.front(), 0, nullptr); }, synchronize);
  const double checked = seconds_a_call(
      101, kCalls, [&] { kernel.launch(arguments, nullptr); }, synchronize);
  synchronize();
  fmt::print("launch: {:.2f} us, of which cuLaunchKernel {:.2f} us, checks and parameters {:.2f} us\n", checked * 1e6,
             bare * 1e6, (checked - bare) * 1e6);
}

}  // namespace
}  // namespace flashbias

int main(int argc, char** argv) {
  try {
    flashbias::first_gets(argc > 1 ? argv[1] : "examples/models.json");
    flashbias::hits_and_launches();
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "flashbias_latency: {}\n", error.what());
    return 1;
  }
}
