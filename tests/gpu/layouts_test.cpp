#include <doctest/doctest.h>

#include <vector>

#include "tests/gpu/attention_case.hpp"

namespace flashbias::testing {

TEST_CASE("any layout, grouped heads and a head_dim_v of its own") {
  std::vector<AttentionCase> cases;
  for (const Layout layout : {Layout::packed, Layout::heads_first, Layout::padded, Layout::broadcast_batch})
    for (const int kv_heads : {1, 2, 4})
      cases.push_back({.config = {.head_dim = 64, .bias = bias::alibi() + bias::low_rank(8), .causal = true},
                       .kv_heads = kv_heads,
                       .q_length = 200,
                       .kv_length = 333,
                       .layout = layout});
  for (const auto& [head_dim, head_dim_v] : {std::pair{64, 128}, {128, 64}, {192, 128}, {8, 256}, {256, 8}, {40, 72}})
    cases.push_back(
        {.config = {.head_dim = head_dim, .head_dim_v = head_dim_v, .bias = bias::low_rank(16), .log_sum_exp = true},
         .q_length = 129,
         .kv_length = 200,
         .layout = Layout::padded});
  check_all(cases);
}

TEST_CASE("bias inputs shared by the heads or differing by batch item") {
  std::vector<AttentionCase> cases;
  for (const Expr& expr : {bias::low_rank(8), bias::dense(), bias::window_relative_position(12, 12),
                           bias::squared_distance(3, bias::DistanceWeight::per_query)})
    for (const bool a_head : {false, true})
      for (const bool a_batch_item : {false, true})
        cases.push_back({.config = {.head_dim = 32, .bias = expr},
                         .batch = 3,
                         .q_length = 144,
                         .kv_length = 144,
                         .inputs_a_head = a_head,
                         .inputs_a_batch_item = a_batch_item});
  check_all(cases);
}

}  // namespace flashbias::testing
