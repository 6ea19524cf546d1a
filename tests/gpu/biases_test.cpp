#include <doctest/doctest.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "tests/gpu/all_biases.hpp"
#include "tests/gpu/attention_case.hpp"

namespace flashbias::testing {
namespace {

/// (query length, key length) pairs: the lengths of the grid, square and not.
const std::vector<std::pair<int, int>>& lengths() {
  static const std::vector<std::pair<int, int>> pairs = {{1, 1},    {7, 7},    {64, 64},   {129, 129}, {576, 576},
                                                         {1, 1000}, {1000, 7}, {129, 576}, {7, 4096},  {1000, 1000}};
  return pairs;
}

/// Over few outputs the ratio of two errors is mostly chance: short sequences come in many batch items.
int batch_for(int q_length, int kv_length) { return std::clamp(32000 / (q_length * kv_length), 2, 32); }

}  // namespace

TEST_CASE("every bias at every head dimension matches float64") {
  const std::vector<int> head_dims = {8, 16, 32, 40, 64, 96, 128, 192, 256};
  const std::vector<Expr> biases = all_biases();
  std::vector<AttentionCase> cases;
  for (std::size_t b = 0; b < biases.size(); ++b)
    for (std::size_t d = 0; d < head_dims.size(); ++d) {
      AttentionConfig config{.dtype = (b + d) % 3 == 0 ? DType::bf16 : DType::f16,
                             .head_dim = head_dims[d],
                             .bias = biases[b],
                             .causal = (b + d / 2) % 2 == 0,
                             .log_sum_exp = d % 2 == 0};
      for (std::size_t n = 0; n < 3; ++n) {
        const auto [q_length, kv_length] = lengths()[(3 * d + b + n) % lengths().size()];
        cases.push_back({.config = config,
                         .batch = batch_for(q_length, kv_length),
                         .q_length = q_length,
                         .kv_length = kv_length,
                         .inputs_a_batch_item = n == 1});
      }
    }
  check_all(cases);
}

TEST_CASE("windows of every size, at their own length and beyond, match float64") {
  std::vector<AttentionCase> cases;
  for (const int side : {7, 12, 16, 24})
    for (const int head_dim : {16, 32, 64})
      for (const int beyond : {0, 5}) {
        const int tokens = side * side + beyond;
        cases.push_back({.config = {.dtype = head_dim == 32 ? DType::f16 : DType::bf16,
                                    .head_dim = head_dim,
                                    .bias = bias::window_relative_position(side, side)},
                         .batch = batch_for(tokens, tokens),
                         .q_length = tokens,
                         .kv_length = tokens});
      }
  check_all(cases);
}

TEST_CASE("every length matches float64") {
  std::vector<AttentionCase> cases;
  for (const bool causal : {false, true})
    for (const Expr& expr : {bias::none(), bias::alibi(), bias::low_rank(16), bias::t5_relative_position()})
      for (const auto& [q_length, kv_length] : lengths())
        cases.push_back({.config = {.bias = expr, .causal = causal, .log_sum_exp = true},
                         .batch = batch_for(q_length, kv_length),
                         .q_length = q_length,
                         .kv_length = kv_length});
  for (const int head_dim : {32, 64, 128})
    cases.push_back(
        {.config = {.head_dim = head_dim, .bias = bias::alibi(), .causal = true}, .q_length = 4096, .kv_length = 4096});
  check_all(cases);
}

}  // namespace flashbias::testing
