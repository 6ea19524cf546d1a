#include <doctest/doctest.h>

#include <vector>

#include "tests/gpu/attention_case.hpp"

namespace flashbias::testing {

TEST_CASE("ALiBi and distance stay exact at 16384 tokens") {
  std::vector<AttentionCase> cases;
  for (const DType dtype : {DType::f16, DType::bf16}) {
    for (const bool causal : {true, false})
      cases.push_back(
          {.config = {.dtype = dtype, .head_dim = 64, .bias = bias::alibi(), .causal = causal, .log_sum_exp = true},
           .batch = 1,
           .heads = 8,
           .kv_heads = 8,
           .q_length = 16384,
           .kv_length = 16384});
    for (const double extent : {1.0, 1000.0})
      cases.push_back({.config = {.dtype = dtype,
                                  .head_dim = 16,
                                  .bias = bias::squared_distance(3, bias::DistanceWeight::per_query),
                                  .log_sum_exp = true},
                       .batch = 1,
                       .heads = 2,
                       .kv_heads = 2,
                       .q_length = 16384,
                       .kv_length = 16384,
                       .position_extent = extent});
  }
  check_all(cases);
}

TEST_CASE("flat, peaked and shifted softmaxes") {
  std::vector<AttentionCase> cases;
  for (const DType dtype : {DType::f16, DType::bf16})
    for (const double spread : {0.01, 1.0, 8.0, 50.0})
      for (const double scale : {0.0, 1.0})
        cases.push_back({.config = {.dtype = dtype, .head_dim = 64, .bias = bias::alibi(), .log_sum_exp = true},
                         .q_length = 300,
                         .kv_length = 1000,
                         .score_spread = spread,
                         .softmax_scale = scale});
  check_all(cases);
}

TEST_CASE("a linear bias that grows with distance keeps its precision at the far end") {
  std::vector<AttentionCase> cases;
  for (const double sign : {-1.0, 1.0})
    for (const bool causal : {false, true})
      cases.push_back({.config = {.head_dim = 32,
                                  .bias = sign * 0.7 * (bias::q_index() - bias::kv_index()),
                                  .causal = causal,
                                  .log_sum_exp = true},
                       .batch = 1,
                       .q_length = 16384,
                       .kv_length = 16384});
  check_all(cases);
}

}  // namespace flashbias::testing
