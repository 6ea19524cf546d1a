#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "flashbias/cubin.hpp"
#include "flashbias/plan.hpp"
#include "runtime/compiler_log.hpp"
#include "runtime/nvrtc.hpp"
#include "runtime/parallel_for.hpp"
#include "tests/temporary_directory.hpp"
#include "tools/compile_all.hpp"
#include "tools/manifest.hpp"

namespace flashbias::testing {
namespace {

constexpr int kMostRegisters = 255;  // that an instruction can name

void check_resources(const KernelResources& resources, const KernelPlan& plan) {
  CHECK(resources.registers > 0);  // the compiler's report was understood
  CHECK(resources.registers <= kMostRegisters);
  CHECK(resources.spill_store_bytes <= plan.tile.allowed_spill_bytes);
}

/// Compiles the configs on all cores and checks that none spills more than its plan declares.
void check_kernels(const std::vector<AttentionConfig>& configs) {
  const TemporaryDirectory directory;
  jit::KernelCache cache({.cache_dir = directory.path()});
  const auto outcomes = tools::compile_all(configs, cache, 0, [](std::size_t, const tools::CompileOutcome&) {});
  for (std::size_t i = 0; i < configs.size(); ++i) {
    CAPTURE(to_string(configs[i]));
    CHECK_MESSAGE(outcomes[i].error.empty(), outcomes[i].error);
    if (!outcomes[i].kernel) continue;
    check_resources(outcomes[i].kernel->cubin.resources, outcomes[i].kernel->plan);
  }
}

/// An unmasked bias that is lowered in one way.
struct LoweredBias {
  Lowering lowering;
  Expr bias;
};

std::vector<LoweredBias> lowered_biases() {
  using namespace bias;
  return {
      {Lowering::dropped, none()},
      {Lowering::key_column, head_scalar("slopes") * kv_index()},
      {Lowering::diagonal, t5_relative_position()},
      {Lowering::factors, low_rank(16)},
      {Lowering::table, window_relative_position(24, 24)},
      {Lowering::registers, squared_distance(3, DistanceWeight::per_query)},
      {Lowering::dense, dense()},
  };
}

bool is_lowered_to(const AttentionConfig& config, Lowering lowering) {
  const auto terms = plan(config).terms;
  return std::all_of(terms.begin(), terms.end(), [=](const TermPlan& term) { return term.lowering == lowering; });
}

}  // namespace

// The least that a kernel does, and the most: each lowering at each tile, on the two architectures that differ most.
TEST_CASE("every lowering at every head dimension compiles without spills that its plan does not declare") {
  std::vector<AttentionConfig> configs;
  for (const auto& [lowering, bias] : lowered_biases())
    for (const int head_dim : {8, 40, 64, 128, 192, 256})
      for (const Arch arch : {Arch{80}, Arch{90}}) {
        const AttentionConfig least{.head_dim = head_dim, .bias = bias, .arch = arch};
        AttentionConfig most = least;
        most.dtype = DType::bf16;
        most.bias = bias + bias::key_padding_mask();
        most.causal = true;
        most.log_sum_exp = true;
        CAPTURE(to_string(least));
        CHECK(is_lowered_to(least, lowering));
        configs.insert(configs.end(), {least, most});
      }
  check_kernels(configs);
}

TEST_CASE("values of a head dimension of their own compile without spills that their plan does not declare") {
  std::vector<AttentionConfig> configs;
  for (const int head_dim : {8, 24, 64, 128, 200, 256})
    for (const int head_dim_v : {8, 24, 64, 128, 200, 256}) {
      if (head_dim == head_dim_v) continue;
      configs.push_back({.head_dim = head_dim, .head_dim_v = head_dim_v, .bias = bias::low_rank(16), .arch = Arch{90}});
    }
  check_kernels(configs);
}

TEST_CASE("masks at every head dimension compile without spills that their plan does not declare") {
  using namespace bias;
  const Expr distance = q_position() - kv_index();
  const Expr of_head = abs(distance) < head_scalar("width", DType::i32);
  std::vector<AttentionConfig> configs;
  for (const Expr& mask : {select(abs(distance) < 256, 0.0, -infinity()), select(of_head, alibi(), -infinity()),
                           select(kv_index() < head_scalar("prefix", DType::i32) || distance >= 0, 0.0, -infinity())})
    for (const int head_dim : {8, 40, 64, 128, 192, 256})
      for (const Arch arch : {Arch{80}, Arch{90}}) {
        const AttentionConfig least{.head_dim = head_dim, .bias = mask, .arch = arch};
        AttentionConfig most = least;
        most.dtype = DType::bf16;
        most.bias = mask + low_rank(8) + key_padding_mask();
        most.causal = true;
        most.log_sum_exp = true;
        CAPTURE(to_string(least));
        CHECK(plan(least).terms.at(0).lowering == Lowering::mask);
        configs.insert(configs.end(), {least, most});
      }
  check_kernels(configs);
}

TEST_CASE("windows of every size compile without spills that their tile does not declare") {
  std::vector<AttentionConfig> configs;
  for (const auto& [height, width] : {std::pair{7, 7}, {8, 8}, {12, 12}, {14, 14}, {16, 16}, {24, 24}, {32, 36}})
    for (const int head_dim : {16, 32, 64})
      for (const Arch arch : {Arch{80}, Arch{90}})
        configs.push_back({.dtype = DType::bf16,
                           .head_dim = head_dim,
                           .bias = bias::window_relative_position(height, width) +
                                   (head_dim == 32 ? bias::key_padding_mask() : bias::none()),
                           .log_sum_exp = head_dim == 64,
                           .arch = arch});
  check_kernels(configs);
}

TEST_CASE(
    "kernels of several lowerings, many factors or two head dimensions compile without spills that its plan does not "
    "declare") {
  using namespace bias;
  std::vector<AttentionConfig> configs;
  for (const Arch arch : {Arch{80}, Arch{90}}) {
    const Expr several = alibi() + t5_relative_position() + low_rank(8) + key_padding_mask();
    configs.push_back({.head_dim = 64, .bias = several, .arch = arch});
    configs.push_back({.head_dim = 128, .bias = several, .arch = arch});
    configs.push_back({.head_dim = 64, .bias = low_rank(128), .arch = arch});
    configs.push_back({.head_dim = 64, .head_dim_v = 128, .bias = alibi(), .causal = true, .arch = arch});
    configs.push_back({.head_dim = 192, .head_dim_v = 128, .causal = true, .arch = arch});
  }
  check_kernels(configs);
}

TEST_CASE("a bias of many functions compiles without spills that its plan does not declare") {
  using namespace bias;
  const Expr x = query_input("x", 3);
  const Expr y = key_input("y", 3);
  const Expr angle = 2.0 * atan2(sqrt(dot(x - y, x - y)), sqrt(dot(x + y, x + y)));
  const Expr gated = -angle / (1.0 + exp(-head_scalar("gate"))) + log(1.0 + abs(sin(angle) * cos(angle)));
  std::vector<AttentionConfig> configs;
  for (const int head_dim : {8, 64, 128, 256})
    for (const Arch arch : {Arch{80}, Arch{90}})
      configs.push_back({.head_dim = head_dim, .bias = gated, .log_sum_exp = head_dim == 64, .arch = arch});
  check_kernels(configs);
}

TEST_CASE("the kernels of the model zoo compile without spills that its plan does not declare") {
  std::vector<AttentionConfig> configs;
  for (const tools::ManifestEntry& entry : tools::read_manifest(FLASHBIAS_MODEL_ZOO))
    for (const Arch arch : {Arch{80}, Arch{90}}) {
      configs.push_back(entry.config);
      configs.back().arch = arch;
    }
  check_kernels(configs);
}

TEST_CASE("backward kernels at every head dimension compile without spills that their plan does not declare") {
  std::vector<AttentionConfig> configs;
  for (const int head_dim : {8, 64, 96, 128, 256})
    for (const Expr& bias : {bias::alibi() + bias::key_padding_mask(), bias::low_rank(16),
                             bias::squared_distance(3, bias::DistanceWeight::per_query), bias::t5_relative_position()})
      configs.push_back({.direction = Direction::backward,
                         .dtype = head_dim == 96 ? DType::bf16 : DType::f16,
                         .head_dim = head_dim,
                         .bias = bias,
                         .causal = head_dim % 16 == 0,
                         .arch = head_dim == 8 ? Arch{80} : Arch{90}});
  for (const Arch arch : {Arch{80}, Arch{90}})
    configs.push_back({.direction = Direction::backward,
                       .head_dim = 64,
                       .bias = bias::window_relative_position(24, 24),
                       .arch = arch});
  check_kernels(configs);
}

// Gradients of operands alone, and of factors, which one pass of keys finds on Hopper.
TEST_CASE("passes that add to queries have overlapping products, and no spills that their plan does not declare") {
  std::vector<AttentionConfig> configs;
  for (const int head_dim : {32, 64, 96, 128})
    for (const Expr& bias : {bias::none(), bias::alibi(), bias::t5_relative_position(), bias::low_rank(16)})
      configs.push_back({.direction = Direction::backward,
                         .dtype = head_dim == 96 ? DType::bf16 : DType::f16,
                         .head_dim = head_dim,
                         .bias = bias,
                         .causal = head_dim % 64 == 0,
                         .arch = Arch{90},
                         .gradients = {"q", "k", "v"}});
  for (const auto& [head_dim, rank] : {std::pair{32, 64}, {64, 16}, {64, 32}, {96, 16}})
    configs.push_back(
        {.direction = Direction::backward, .head_dim = head_dim, .bias = bias::low_rank(rank), .arch = Arch{90}});
  std::vector<runtime::Nvrtc::Output> outputs(configs.size());
  runtime::parallel_for(static_cast<std::int64_t>(configs.size()), [&](std::int64_t i) {
    const AttentionConfig& config = configs[static_cast<std::size_t>(i)];
    outputs[static_cast<std::size_t>(i)] =
        runtime::Nvrtc::get().compile(emit(plan(config)).text, compile_options(config.arch));
  });
  for (std::size_t i = 0; i < configs.size(); ++i) {
    CAPTURE(to_string(configs[i]));
    CHECK(outputs[i].succeeded);
    CHECK(outputs[i].log.find("instructions are serialized") == std::string::npos);
    check_resources(runtime::parse_resources(outputs[i].log), plan(configs[i]));
  }
}

// Some are names of what kernels have, or words of C++.
TEST_CASE("inputs of gradients may have any names") {
  using namespace bias;
  const Expr bias = key_input("key", 2)[0] * query_input("row") + key_input("sum") * head_scalar("excess") +
                    query_input("p") * key_input("double") + head_scalar("sums") * query_input("d_q") +
                    table("clear", 64, kv_index() % 64) + table("addends", 64, (kv_index() - q_index()) % 64);
  for (const bool deterministic : {false, true})
    for (const Arch arch : {Arch{80}, Arch{90}}) {
      const AttentionConfig config{
          .direction = Direction::backward, .head_dim = 16, .bias = bias, .arch = arch, .deterministic = deterministic};
      CAPTURE(to_string(config));
      CHECK_NOTHROW((void)compile(emit(plan(config)), arch));
    }
}

TEST_CASE("a kernel compiles for every architecture") {
  std::vector<AttentionConfig> configs;
  for (const Arch arch : supported_archs()) {
    configs.push_back({.head_dim = 128, .bias = bias::alibi(), .causal = true, .log_sum_exp = true, .arch = arch});
    configs.push_back({.direction = Direction::backward, .head_dim = 256, .bias = bias::alibi(), .arch = arch});
  }
  check_kernels(configs);
}

}  // namespace flashbias::testing
