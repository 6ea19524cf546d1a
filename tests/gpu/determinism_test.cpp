#include <doctest/doctest.h>

#include <vector>

#include "tests/gpu/attention_case.hpp"
#include "tests/gpu/gradient_case.hpp"

namespace flashbias::testing {
namespace {

/// Inputs of all sorts, to whose gradients heads, batch items or scores add together.
std::vector<AttentionCase> deterministic_cases(int q_length, int kv_length) {
  std::vector<AttentionCase> cases;
  const auto add = [&](const Expr& bias, bool causal = false, bool inputs_a_head = true) -> AttentionCase& {
    return cases.emplace_back(AttentionCase{
        .config = {.direction = Direction::backward, .bias = bias, .causal = causal, .deterministic = true},
        .q_length = q_length,
        .kv_length = kv_length,
        .inputs_a_head = inputs_a_head});
  };
  add(bias::alibi(), true);
  add(bias::low_rank(16));
  add(bias::low_rank(16)).inputs_a_batch_item = true;
  add(bias::low_rank(16)).config.main_loop = MainLoop::portable;
  add(bias::t5_relative_position());
  add(bias::window_relative_position(16, 16));
  add(bias::window_relative_position(16, 16)).config.main_loop = MainLoop::portable;
  add(bias::squared_distance(3, bias::DistanceWeight::per_query), false, false);
  add(bias::dense(), false, false);
  return cases;
}

}  // namespace

TEST_CASE("deterministic gradients match float64" * doctest::test_suite("small")) {
  check_gradients(deterministic_cases(200, 130));
}

TEST_CASE("deterministic gradients are the same bits in each of 100 runs") {
  std::vector<AttentionCase> cases = deterministic_cases(1000, 1300);
  compile_ahead(cases);
  for (const AttentionCase& attention : cases) {
    CAPTURE(to_string(attention));
    CHECK(gradients_repeat(attention, 100));
  }
}

}  // namespace flashbias::testing
