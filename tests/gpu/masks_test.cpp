#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "tests/gpu/attention_case.hpp"

namespace flashbias::testing {
namespace {

using Replacement = std::optional<double>;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

}  // namespace

TEST_CASE("fully masked rows give zeros and a log-sum-exp of -infinity") {
  std::vector<AttentionCase> cases;
  // More queries than keys under a causal mask: the first rows see nothing.
  for (const Expr& expr : {bias::none(), bias::alibi(), bias::low_rank(4), bias::dense(), bias::t5_relative_position()})
    cases.push_back({.config = {.head_dim = 32, .bias = expr, .causal = true, .log_sum_exp = true},
                     .q_length = 300,
                     .kv_length = 50});
  AttentionCase padded{
      .config = {.head_dim = 64, .bias = bias::alibi() + bias::key_padding_mask(), .log_sum_exp = true},
      .q_length = 70,
      .kv_length = 150,
      .inputs_a_batch_item = true};
  padded.replace = [](const std::string& name, std::int64_t batch, auto...) {
    return name == "key_padding_mask" && batch == 1 ? Replacement(0.0) : std::nullopt;
  };
  cases.push_back(padded);
  AttentionCase query_mask{.config = {.head_dim = 64, .bias = bias::query_input("query_mask"), .log_sum_exp = true},
                           .q_length = 70,
                           .kv_length = 150};
  query_mask.replace = [](const std::string& name, std::int64_t, std::int64_t row, auto...) {
    return name == "query_mask" && row % 3 == 0 ? Replacement(-kInfinity) : std::nullopt;
  };
  cases.push_back(query_mask);
  check_all(cases);
}

TEST_CASE("no keys at all give zeros") {
  for (const Expr& expr : {bias::none(), bias::alibi(), bias::low_rank(16), bias::window_relative_position(4, 4)}) {
    const CaseResult result =
        run({.config = {.head_dim = 64, .bias = expr, .log_sum_exp = true}, .q_length = 40, .kv_length = 0});
    CHECK(result.error == 0);
    CHECK(result.unwritten == 0);
    CHECK(result.log_sum_exp_error == 0);
  }
}

TEST_CASE("infinities and NaN in a query stay in its row") {
  std::vector<AttentionCase> cases;
  for (const double poison : {kInfinity, -kInfinity, std::nan("")}) {
    AttentionCase query{
        .config = {.head_dim = 64, .bias = bias::alibi(), .causal = true}, .q_length = 200, .kv_length = 200};
    query.replace = [poison](const std::string& name, std::int64_t, std::int64_t row, std::int64_t,
                             std::int64_t column) {
      return name == "q" && row == 77 && column == 3 ? Replacement(poison) : std::nullopt;
    };
    cases.push_back(query);
  }
  check_all(cases);
}

TEST_CASE("infinities and NaN in a value stay in its column") {
  std::vector<AttentionCase> cases;
  for (const double poison : {kInfinity, std::nan("")}) {
    AttentionCase value{.config = {.head_dim = 40}, .q_length = 200, .kv_length = 200};
    value.replace = [poison](const std::string& name, std::int64_t, std::int64_t row, std::int64_t,
                             std::int64_t column) {
      return name == "v" && row == 150 && column == 39 ? Replacement(poison) : std::nullopt;
    };
    cases.push_back(value);
  }
  check_all(cases);
}

}  // namespace flashbias::testing
