#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "flashbias/jit.hpp"
#include "flashbias/plan.hpp"
#include "tests/gpu/attention_case.hpp"

namespace flashbias::testing {
namespace {

using bias::DistanceWeight;

Expr near(const Expr& expr, double extent) {
  return expr.range("q_positions", -extent, extent).range("k_positions", -extent, extent);
}

std::vector<Expr> biases() {
  using namespace bias;
  const Expr phase = query_input("q_positions").range(-1, 1) - key_input("k_positions").range(-1, 1);
  return {
      alibi(),
      relative_position(16),
      t5_relative_position(),
      window_relative_position(8, 8),
      near(squared_distance(3, DistanceWeight::none), 1),
      near(squared_distance(3, DistanceWeight::per_query), 1).range("distance_weight", 0, 2),
      near(squared_distance(2, DistanceWeight::per_key), 1).range("distance_weight", 0, 2),
      squared_distance(3, DistanceWeight::per_query),
      near(squared_distance(8, DistanceWeight::per_head), 1).range("distance_weight", 0, 2),
      cos(phase) + 0.5 * cos(2.0 * phase) + exp(phase),
      low_rank(8),
      low_rank(16, DType::bf16),
      low_rank(4, DType::f32),
      low_rank(40, DType::f32),
      head_scalar("gate").range(-4, 4) * low_rank(8, DType::f32).range("q_factors", -4, 4).range("k_factors", -4, 4),
      dense(),
      key_padding_mask(),
      query_input("a") * key_input("b"),
      alibi() + near(squared_distance(3, DistanceWeight::none), 1) + low_rank(8) + key_padding_mask(),
      cos(0.01 * (q_index() - kv_index())) * head_scalar("gate").range(-4, 4),
  };
}

/// The lowerings that can be taken somewhere in the bias.
std::vector<Lowering> lowerings(AttentionConfig config) {
  config.arch = jit::current_arch();
  std::vector<Lowering> found;
  for (const TermPlan& term : plan(config).terms)
    for (const Alternative& alternative : term.alternatives)
      if (alternative.obstacle.empty() && std::ranges::find(found, alternative.lowering) == found.end())
        found.push_back(alternative.lowering);
  return found;
}

}  // namespace

TEST_CASE("every bias matches float64 in every lowering that it can take") {
  std::vector<AttentionCase> cases;
  int n = 0;
  for (const Expr& expr : biases())
    for (const bool causal : {false, true}) {
      AttentionConfig config{.dtype = ++n % 3 == 0 ? DType::bf16 : DType::f16,
                             .head_dim = n % 2 == 0 ? 32 : 64,
                             .bias = expr,
                             .causal = causal,
                             .log_sum_exp = n % 4 == 0};
      std::vector<Lowering> ways = lowerings(config);
      if (ways.empty()) cases.push_back({.config = config, .q_length = 333, .kv_length = 250});
      for (const Lowering lowering : ways) {
        config.lowering = lowering;
        cases.push_back({.config = config, .q_length = 250, .kv_length = 333});
      }
    }
  check_all(cases);
}

TEST_CASE("distances stay exact at any length, extent and weight, whatever their lowering") {
  std::vector<AttentionCase> cases;
  for (const DType dtype : {DType::f16, DType::bf16})
    for (const int length : {1024, 16384, 131072})
      for (const double extent : {1.0, 1000.0})
        for (const double span : {1.0, 1e3, 1e6}) {
          const double weight = span / (12 * extent * extent);
          AttentionCase attention{.config = {.dtype = dtype, .head_dim = 16, .log_sum_exp = true},
                                  .batch = 1,
                                  .heads = 1,
                                  .kv_heads = 1,
                                  .q_length = length,
                                  .kv_length = length,
                                  .position_extent = extent};
          attention.config.bias =
              near(bias::squared_distance(3, DistanceWeight::per_query), extent).range("distance_weight", 0, weight);
          attention.replace = [weight](const std::string& name, auto...) -> std::optional<double> {
            return name == "distance_weight" ? std::optional(weight * 0.99) : std::nullopt;
          };
          cases.push_back(attention);
        }
  check_all(cases);
}

TEST_CASE("ALiBi with slopes to 1 and products of positions stay exact to 131072 tokens") {
  std::vector<AttentionCase> cases;
  for (const DType dtype : {DType::f16, DType::bf16})
    for (const int length : {1024, 16384, 131072})
      for (const bool causal : {true, false}) {
        const auto add = [&](const Expr& expr) {
          cases.push_back(
              {.config = {.dtype = dtype, .head_dim = 32, .bias = expr, .causal = causal, .log_sum_exp = true},
               .batch = 1,
               .heads = 2,
               .kv_heads = 2,
               .q_length = length,
               .kv_length = length});
        };
        add(-1.0 * abs(bias::q_position() - bias::kv_index()));
        add(bias::alibi());
        add(cos(0.01 * (bias::q_index() - bias::kv_index())));
        add(1e-9 * bias::q_index() * bias::kv_index());
      }
  check_all(cases);
}

TEST_CASE("f16 parts hold over the range of softmax scales that the plan allows") {
  std::vector<AttentionCase> cases;
  const Expr distance = near(bias::squared_distance(3, DistanceWeight::none), 2);
  for (const double scale : {0x1p-11, 0x1p-6, 1.0, 0x1p3})
    cases.push_back({.config = {.head_dim = 32, .bias = distance, .log_sum_exp = true},
                     .q_length = 200,
                     .kv_length = 300,
                     .score_spread = std::min(1.0, 0.1 / scale),
                     .position_extent = 2,
                     .softmax_scale = scale});
  check_all(cases);
}

}  // namespace flashbias::testing
