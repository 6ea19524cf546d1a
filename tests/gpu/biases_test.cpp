#include <doctest/doctest.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "tests/gpu/attention_case.hpp"

namespace flashbias::testing {
namespace {

using bias::DistanceWeight;

std::vector<Expr> all_biases() {
  using namespace bias;
  const Expr difference = q_index() - kv_index();
  return {
      none(),
      alibi(),
      alibi() + key_padding_mask(),
      relative_position(16),
      t5_relative_position(),
      t5_relative_position(32, 128, false),
      window_relative_position(8, 8),
      window_relative_position(24, 24) + key_padding_mask(),
      earth_relative_position(2, 6, 12),
      squared_distance(2, DistanceWeight::none),
      squared_distance(3, DistanceWeight::per_query),
      squared_distance(3, DistanceWeight::per_key) + key_padding_mask(),
      squared_distance(6, DistanceWeight::per_head),
      low_rank(1),
      low_rank(8),
      low_rank(21) + key_padding_mask(),
      low_rank(96),
      low_rank(128),
      dense(),
      dense(DType::f32) + key_padding_mask(),
      alibi() + t5_relative_position() + low_rank(8) + key_padding_mask(),
      select(abs(difference) < 100, -sqrt(abs(head_scalar("width") * real(difference))), -infinity()),
      log(1.0 + abs(head_scalar("gate")) *
                    dot(query_input("a", 2) - key_input("b", 2), query_input("a", 2) - key_input("b", 2))),
      query_input("shift") + key_input("height") * head_scalar("gain"),
      approximate(window_relative_position(24, 24), 16) + approximate(-abs(difference), 5),
  };
}

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
