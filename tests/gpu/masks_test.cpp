#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/gpu/attention_case.hpp"

namespace flashbias::testing {
namespace {

using Replacement = std::optional<double>;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

Expr mask(const Expr& seen) { return select(seen, 0.0, -bias::infinity()); }

Expr distance() { return bias::q_position() - bias::kv_index(); }

/// The integer head scalars `width` and `prefix`: one number for each of four heads.
Replacement integers_of_heads(const std::string& name, std::int64_t, std::int64_t, std::int64_t head, std::int64_t) {
  constexpr std::array<double, 4> kWidths = {1, 100, 1000, std::numeric_limits<std::int32_t>::max()};
  constexpr std::array<double, 4> kPrefixes = {0, 1, 130, 5000};
  if (name == "width") return kWidths.at(static_cast<std::size_t>(head));
  if (name == "prefix") return kPrefixes.at(static_cast<std::size_t>(head));
  return std::nullopt;
}

/// Query and key lengths: square, with keys before the queries, with queries that see no key, one query.
constexpr std::array<std::pair<int, int>, 6> kLengths = {
    {{1, 1}, {300, 300}, {129, 700}, {700, 129}, {1, 1000}, {1000, 1000}}};

/// Each bias at all lengths, with a causal config and without, on all tiles in turn.
void check_at_all_lengths(const std::vector<Expr>& biases) {
  constexpr std::array<int, 5> kHeadDims = {64, 128, 16, 32, 256};
  std::vector<AttentionCase> cases;
  std::size_t n = 0;
  for (const Expr& expr : biases)
    for (const bool causal : {false, true}) {
      const AttentionConfig config{.dtype = n % 3 == 0 ? DType::bf16 : DType::f16,
                                   .head_dim = kHeadDims.at(n % kHeadDims.size()),
                                   .bias = expr,
                                   .causal = causal,
                                   .log_sum_exp = n % 2 == 0};
      ++n;
      for (const auto& [q_length, kv_length] : kLengths)
        cases.push_back({.config = config,
                         .batch = q_length * kv_length < 10'000 ? 16 : 2,
                         .q_length = q_length,
                         .kv_length = kv_length,
                         .replace = integers_of_heads});
    }
  check_all(cases);
}

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

TEST_CASE("sliding windows of every size match float64") {
  std::vector<Expr> biases;
  for (const int width : {1, 2, 63, 64, 65, 128, 500, 100'000}) {
    biases.push_back(mask(abs(distance()) < width));
    biases.push_back(mask(distance() < width));
    biases.push_back(select(distance() >= width || bias::kv_index() > bias::q_position(), -bias::infinity(), 0.0));
  }
  check_at_all_lengths(biases);
}

TEST_CASE("prefixes, chunks, and windows of the head match float64") {
  const Expr width = bias::head_scalar("width", DType::i32);
  const Expr prefix = bias::head_scalar("prefix", DType::i32);
  const Expr past = bias::kv_index() <= bias::q_position();
  check_at_all_lengths({
      mask(bias::kv_index() < prefix || past),
      mask(bias::kv_index() < prefix),
      mask(bias::kv_index() >= prefix),
      mask(abs(distance()) < width),
      mask(distance() < width && past),
      mask(bias::head() % 2 == 1 || abs(distance()) < 100),
      mask(bias::q_index() / 64 == bias::kv_index() / 64),
      mask(bias::q_index() / 100 >= bias::kv_index() / 100 && bias::q_index() / 100 < bias::kv_index() / 100 + 3),
      mask(2 * bias::kv_index() <= 3 * bias::q_index() - 100),
      mask(abs(bias::q_index() + bias::kv_index() - bias::kv_length()) < 80),
  });
}

TEST_CASE("masks match float64 beside every kind of bias") {
  const Expr near = abs(distance()) < 150;
  const Expr same_document = bias::query_input("document", 1, DType::u8) == bias::key_input("document_k", 1, DType::u8);
  check_at_all_lengths({
      select(near, bias::alibi(), -bias::infinity()),
      mask(near) + bias::alibi() + bias::key_padding_mask(),
      // The largest bias of a window is at its first key.
      mask(near) - bias::head_scalar("slopes") * bias::kv_index(),
      mask(near) + bias::low_rank(16),
      mask(near) + bias::t5_relative_position(),
      mask(near) + bias::window_relative_position(8, 8),
      mask(near) + bias::dense(),
      select(near, -sqrt(real(abs(distance()))), -bias::infinity()),
      select(near, bias::query_input("shift"), -bias::infinity()),
      select(near && same_document, bias::alibi(), -bias::infinity()),
      select(near, select(bias::kv_index() < bias::head_scalar("prefix", DType::i32), 0.0, -bias::infinity()),
             -bias::infinity()),
      // A gap between the first keys and the near ones; every other key.
      mask(bias::kv_index() < 4 || near),
      mask(near && bias::kv_index() % 2 == bias::q_index() % 2),
      // A logarithm of nothing, where no key is seen.
      select(distance() > 0 && near, log(real(distance())), -bias::infinity()),
  });
}

TEST_CASE("masks that hide every key of some rows give zeros there") {
  check_at_all_lengths({
      mask(abs(distance()) < 0),
      mask(distance() < -5),
      mask(bias::kv_index() < bias::q_index() - 200),
      mask(bias::q_index() / 64 == bias::kv_index() / 64 && bias::kv_index() < 100) + bias::alibi(),
      mask(abs(distance()) < 30) + mask(abs(distance()) > 50),
      mask(distance() < 40 && distance() >= 40),
  });
}

TEST_CASE("a window far from the first key is as exact as one near it") {
  std::vector<AttentionCase> cases;
  for (const bool causal : {false, true})
    for (const Expr& inside : {bias::alibi(), -bias::head_scalar("slopes") * bias::kv_index(),
                               bias::head_scalar("slopes") * bias::kv_index()})
      cases.push_back({.config = {.bias = select(abs(distance()) < 300, inside, -bias::infinity()),
                                  .causal = causal,
                                  .log_sum_exp = true},
                       .batch = 1,
                       .heads = 2,
                       .kv_heads = 2,
                       .q_length = 1000,
                       .kv_length = 100'000});
  check_all(cases);
}

}  // namespace flashbias::testing
