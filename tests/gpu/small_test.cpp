#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tests/gpu/all_biases.hpp"
#include "tests/gpu/attention_case.hpp"
#include "tests/gpu/gradient_case.hpp"

/// What an emulator has the time for.
TEST_SUITE_BEGIN("small");

namespace flashbias::testing {

TEST_CASE("every bias at some head dimension matches float64") {
  constexpr std::array<int, 9> kHeadDims = {64, 8, 128, 16, 256, 32, 192, 40, 96};
  std::vector<AttentionCase> cases;
  std::size_t n = 0;
  for (const Expr& expr : all_biases()) {
    cases.push_back({.config = {.dtype = n % 3 == 0 ? DType::bf16 : DType::f16,
                                .head_dim = kHeadDims.at(n % kHeadDims.size()),
                                .bias = expr,
                                .causal = n % 2 == 0,
                                .log_sum_exp = n % 4 < 2},
                     .heads = 4,
                     .kv_heads = 2,
                     .q_length = 70,
                     .kv_length = 150});
    ++n;
  }
  check_all(cases);
}

TEST_CASE("many tiles, forth and back, match float64") {
  std::vector<AttentionCase> cases;
  for (const int head_dim : {64, 128})
    for (const Expr& expr : {bias::alibi(), bias::low_rank(16), bias::t5_relative_position()})
      cases.push_back({.config = {.head_dim = head_dim, .bias = expr, .causal = head_dim == 64, .log_sum_exp = true},
                       .batch = 1,
                       .heads = 2,
                       .kv_heads = 1,
                       .q_length = 300,
                       .kv_length = 500});
  check_all(cases);
}

// Sums start anew after 4096 keys, or after the whole tiles of them.
TEST_CASE("lengths around that of one sum match float64") {
  std::vector<AttentionCase> cases;
  for (const int kv_length : {4096, 4097, 8300})
    for (const int head_dim : {16, 40, 192, 256})
      cases.push_back({.config = {.head_dim = head_dim, .bias = bias::dense()},
                       .batch = 1,
                       .heads = 2,
                       .kv_heads = 2,
                       .q_length = 120,  // of fewer rows, errors vary beyond the bar
                       .kv_length = kv_length});
  check_all(cases);
}

TEST_CASE("rows that see no keys, beside rows that do, match float64 at every head dimension") {
  std::vector<AttentionCase> cases;
  for (const int head_dim : {16, 64, 192, 256})
    cases.push_back({.config = {.head_dim = head_dim, .causal = true, .log_sum_exp = true},
                     .batch = 2,
                     .q_length = 400,
                     .kv_length = 100});
  check_all(cases);
}

/// Hides keys from the hundredth on with `hiding`: those of the last tiles, which come first.
AttentionCase hidden_by(double hiding, const AttentionConfig& config) {
  AttentionCase attention{.config = config, .batch = 1, .heads = 2, .kv_heads = 2, .q_length = 64, .kv_length = 300};
  attention.config.bias = bias::key_input("hidden");
  attention.replace = [hiding](const std::string& name, std::int64_t, std::int64_t row, auto...) {
    return name == "hidden" ? std::optional<double>(row < 100 ? 0.0 : hiding) : std::nullopt;
  };
  return attention;
}
constexpr std::array<double, 4> kHiding = {-1e4, -1e9, -1e10, -3e38};

TEST_CASE("finite numbers of any size hide keys") {
  std::vector<AttentionCase> cases;
  for (const double hiding : kHiding)
    for (const int head_dim : {32, 64, 128})
      cases.push_back(hidden_by(
          hiding,
          {.dtype = head_dim == 64 ? DType::bf16 : DType::f16, .head_dim = head_dim, .log_sum_exp = head_dim != 32}));
  check_all(cases);
}

TEST_CASE("gradients where finite numbers hide keys match float64") {
  std::vector<AttentionCase> cases;
  for (const double hiding : kHiding)
    for (const DType dtype : {DType::f16, DType::bf16})
      cases.push_back(hidden_by(hiding, {.direction = Direction::backward, .dtype = dtype, .head_dim = 64}));
  check_gradients(cases);
}

TEST_CASE("values of a head dimension of their own match float64") {
  std::vector<AttentionCase> cases;
  for (const auto& [head_dim, head_dim_v] : {std::pair{256, 8}, {8, 256}, {64, 200}, {200, 64}})
    cases.push_back({.config = {.head_dim = head_dim, .head_dim_v = head_dim_v, .bias = bias::low_rank(16)},
                     .q_length = 70,
                     .kv_length = 150,
                     .layout = Layout::padded});
  check_all(cases);
}

TEST_CASE("gradients match float64") {
  std::vector<AttentionCase> cases;
  for (const int head_dim : {8, 64, 128, 256})
    for (const bool causal : {false, true})
      cases.push_back({.config = {.direction = Direction::backward,
                                  .dtype = causal ? DType::bf16 : DType::f16,
                                  .head_dim = head_dim,
                                  .causal = causal},
                       .kv_heads = causal ? 2 : 4,
                       .q_length = 150,
                       .kv_length = 100});
  check_gradients(cases);
}

// Each has keys of several blocks, tiles of queries under way, and both ends ragged.
TEST_CASE("gradients match float64 at each tile of the portable loop") {
  struct Tiled {
    int head_dim;
    int rank;
    bool deterministic = false;
  };
  std::vector<AttentionCase> cases;
  for (const auto& [head_dim, rank, deterministic] :
       {Tiled{16, 8}, {32, 40}, {64, 16}, {56, 64}, {128, 8}, {104, 64}, {200, 8}, {64, 16, true}})
    cases.push_back({.config = {.direction = Direction::backward,
                                .head_dim = head_dim,
                                .bias = bias::low_rank(rank),
                                .causal = cases.size() % 2 == 1,
                                .deterministic = deterministic,
                                .main_loop = MainLoop::portable},
                     .batch = 1,
                     .heads = 2,
                     .kv_heads = 1,
                     .q_length = 150,
                     .kv_length = 200});
  check_gradients(cases);
}

/// A case for each bias, with masks and inputs of all sorts; the function sets the rest of the n-th.
template <class Vary>
void check_gradients_of_every_bias(const Vary& vary) {
  std::vector<AttentionCase> cases;
  for (const Expr& expr : all_biases()) {
    const std::size_t n = cases.size();
    AttentionCase& attention = cases.emplace_back(
        AttentionCase{.config = {.direction = Direction::backward, .bias = expr, .causal = n % 4 < 2},
                      .inputs_a_head = n % 5 != 0,
                      .inputs_a_batch_item = n % 3 == 0});
    vary(attention, n);
  }
  check_gradients(cases);
}

TEST_CASE("gradients of every bias match float64") {
  check_gradients_of_every_bias([](AttentionCase& attention, std::size_t n) {
    attention.config.dtype = n % 3 == 0 ? DType::bf16 : DType::f16;
    attention.config.head_dim = n % 2 == 0 ? 32 : 64;
    attention.q_length = 70;
    attention.kv_length = 150;
  });
}

// Those of operands come from one pass where the main loop for Hopper has it, whatever the bias.
TEST_CASE("gradients of operands alone match float64 under every bias") {
  check_gradients_of_every_bias([](AttentionCase& attention, std::size_t n) {
    attention.config.dtype = n % 3 == 0 ? DType::f16 : DType::bf16;
    attention.config.head_dim = n % 3 == 0 ? 96 : 40;
    attention.config.head_dim_v = n % 2 == 0 ? 40 : 96;
    attention.config.gradients = {"q", "k", "v"};
    attention.kv_heads = n % 2 == 0 ? 4 : 2;
    attention.q_length = 100;
    attention.kv_length = 140;
  });
}

// Indices that are the same along a diagonal, a row or a column, and some that change at each step.
TEST_CASE("gradients of tables that are read several times match float64") {
  using namespace bias;
  const Expr difference = kv_index() - q_position();
  const Expr step = clamp(difference / 8, -19, 19) + 19;
  const Expr rest = real(abs(difference) % 8) / 8.0;
  const Expr interpolated = table("near", 40, step) * (1.0 - rest) + table("near", 40, step + 1) * rest;
  const Expr phases = table("phase", 49, kv_index() % 7 * 7 + q_index() % 7) * key_input("weight") +
                      table("phase", 49, q_index() / 16 % 7 * 7 + kv_index() / 16 % 7) * query_input("gate");
  const Expr segments = table("segment", 8, kv_index() / 20 % 8) * query_input("gate") +
                        table("segment", 8, q_index() / 20 % 8) * key_input("weight");
  std::vector<AttentionCase> cases;
  for (const Expr& expr : {interpolated, phases, segments, interpolated + phases + segments + t5_relative_position()})
    for (const auto& [main_loop, deterministic] :
         {std::pair<std::optional<MainLoop>, bool>{}, {MainLoop::portable, false}, {std::nullopt, true}})
      cases.push_back({.config = {.direction = Direction::backward,
                                  .head_dim = cases.size() % 2 == 0 ? 32 : 64,
                                  .bias = expr,
                                  .causal = cases.size() % 3 == 0,
                                  .deterministic = deterministic,
                                  .main_loop = main_loop},
                       .batch = 1,
                       .heads = 2,
                       .kv_heads = 2,
                       .q_length = 70,
                       .kv_length = 150,
                       .inputs_a_head = cases.size() % 2 == 0});
  check_gradients(cases);
}

TEST_CASE("gradients of factors match float64 at ranks that one pass serves and that two do") {
  std::vector<AttentionCase> cases;
  for (const int rank : {8, 40, 96, 128})
    cases.push_back({.config = {.direction = Direction::backward,
                                .head_dim = rank == 128 ? 64 : 32,
                                .bias = bias::low_rank(rank),
                                .causal = rank == 40},
                     .q_length = 150,
                     .kv_length = 100,
                     .inputs_a_head = rank != 8});
  check_gradients(cases);
}

}  // namespace flashbias::testing

TEST_SUITE_END();
