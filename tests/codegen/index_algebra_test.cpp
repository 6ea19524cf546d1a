#include "codegen/index_algebra.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "codegen/rewrite.hpp"
#include "codegen/simplify.hpp"
#include "flashbias/reference.hpp"
#include "tests/codegen/mask_cases.hpp"
#include "tests/codegen/random_condition.hpp"

namespace flashbias::codegen {
namespace {

using namespace bias;

double value_at(const Expr& expr, std::int64_t q, std::int64_t kv) {
  return reference::evaluate(expr, {.q_index = q, .kv_index = kv, .q_length = 40, .kv_length = 50}, {});
}

}  // namespace

TEST_CASE("a linear form does not depend on how it is written") {
  const auto form = linear_form(3 * (q_index() - kv_index()) + (5 - kv_index()) * 2 - -q_length());
  REQUIRE(form.has_value());
  CHECK(*form == LinearForm{.constant = 10, .q = 3, .kv = -5, .q_length = 1});
  const auto ranged = linear_form(5 * kv_index().range(0, 9) - 2 * kv_index() + q_index());
  REQUIRE(ranged.has_value());
  CHECK(*ranged == LinearForm{.q = 1, .kv = 3});
  CHECK_FALSE(linear_form(q_index() * kv_index()).has_value());
  CHECK_FALSE(linear_form(q_index() / 2).has_value());
}

TEST_CASE("signs under a causal mask hold at every visible score") {
  const Expr distance = q_position() - kv_index();
  CHECK(sign_under_causal_mask(distance) == Sign::non_negative);
  CHECK(sign_under_causal_mask(-2 * distance - 1) == Sign::non_positive);
  CHECK(sign_under_causal_mask(distance - 1) == Sign::unknown);
  CHECK(sign_under_causal_mask(q_index() - kv_index()) == Sign::unknown);
}

TEST_CASE("constant on diagonals means what it says") {
  const Expr difference = kv_index() - q_index();
  CHECK(constant_on_diagonals(min(max(difference, -3), 3)));
  CHECK(constant_on_diagonals(select(difference + kv_length() > 0, 1.0, 0.5) * head_scalar("gain")));
  CHECK_FALSE(constant_on_diagonals(difference + q_index()));
  CHECK_FALSE(constant_on_diagonals(real(difference) * query_input("x")));
}

TEST_CASE("a query part and a key part add up to the index") {
  const Expr index = 3 * (q_index() / 4 - kv_index() % 5) + 7 - kv_index();
  const auto split = split_query_key(index);
  REQUIRE(split.has_value());
  CHECK(dependence(split->query).query_only());
  CHECK(dependence(split->key).key_only());
  for (const std::int64_t q : {0, 3, 17, 39})
    for (const std::int64_t kv : {0, 1, 22, 49})
      CHECK(value_at(split->query + split->key, q, kv) == value_at(index, q, kv));
  CHECK_FALSE(split_query_key(q_index() * kv_index()).has_value());
  const auto window = split_query_key(-(47 * (kv_index() / 24 - q_index() / 24)) + 5);
  REQUIRE(window.has_value());
  CHECK(to_string(window->query) == "-(-(q_index() / 24) * 47) + 5");
  CHECK(to_string(window->key) == "-(kv_index() / 24 * 47)");
}

TEST_CASE("intervals contain every value, and are tight for windows") {
  const Expr index = window_relative_position(4, 6).arg(0).arg(0);
  const auto bounds = interval(index);
  REQUIRE(bounds.has_value());
  CHECK(bounds->low == 0);
  CHECK(bounds->high == 7 * 11 - 1);
  const auto earth = interval(earth_relative_position(2, 6, 12).arg(0).arg(0));
  REQUIRE(earth.has_value());
  CHECK(earth->low == 0);
  CHECK(earth->high == 2 * 2 * 6 * 6 * 23 - 1);
  const auto product = interval((q_index() % 7 - 3) * (kv_index() % 5 - 4));
  REQUIRE(product.has_value());
  CHECK(product->low == -12);
  CHECK(product->high == 12);
  CHECK_FALSE(interval(q_index() * kv_index()).has_value());
  CHECK_FALSE(interval(head()).has_value());
}

TEST_CASE("what rises or falls with the query does so at every query") {
  testing::RandomCondition random(5);
  const testing::MaskInputs inputs;
  std::array<int, 4> found{};
  for (int n = 0; n < 3000; ++n) {
    const Expr expr = random.integer(random.below(5));
    const Monotonicity direction = monotonicity_along_queries(expr);
    ++found.at(static_cast<std::size_t>(direction));
    bool rises = true;
    bool falls = true;
    reference::Point at{.kv_index = 3, .q_length = 12, .kv_length = 9};
    double last = reference::evaluate(expr, at, inputs.bound());
    for (at.q_index = 1; at.q_index < at.q_length; ++at.q_index) {
      const double value = reference::evaluate(expr, at, inputs.bound());
      rises &= value >= last;
      falls &= value <= last;
      last = value;
    }
    CAPTURE(to_string(expr));
    if (direction == Monotonicity::rising || direction == Monotonicity::constant) CHECK(rises);
    if (direction == Monotonicity::falling || direction == Monotonicity::constant) CHECK(falls);
  }
  CHECK(std::ranges::all_of(found, [](int count) { return count > 50; }));
}

TEST_CASE("differences become real where f32 holds what is subtracted, and only there") {
  const auto simple = [](const Expr& expr) { return to_string(simplify(real(expr), false)); };
  CHECK(simple(abs(q_position() - kv_index())) == "abs(real(q_index() + kv_length() - q_length()) - real(kv_index()))");
  CHECK(simple(-abs(q_index() - kv_index())) == "-abs(real(q_index()) - real(kv_index()))");
  CHECK(simple(1 + abs(q_index() - kv_index())) == "1.0 + abs(real(q_index()) - real(kv_index()))");
  const Expr t = query_input("t", 1, DType::i32);
  const Expr u = key_input("u", 1, DType::i32);
  CHECK(simple(abs(t.range(0, 1000) - u.range(0, 1000))).find("abs(real(") == 0);
  const Expr far = t.range(1'600'000'000, 1'600'001'000) - u.range(1'600'000'000, 1'600'001'000);
  CHECK(simple(abs(far)) == "abs(" + to_string(real(far)) + ")");
  const Expr shifted = (q_index() + 100'000'000) - (kv_index() + 100'000'000);
  CHECK(simple(abs(shifted)) == "abs(" + to_string(real(shifted)) + ")");
  for (const Expr& expr : {max(t.range(0, 0x1p24) + q_index(), u.range(0, 9)), 2 * q_index() - kv_index()})
    CHECK(simple(expr) == to_string(real(expr)));
}

TEST_CASE("simplifying keeps the value at every visible score") {
  const Expr distance = q_position() - kv_index();
  for (const Expr& expr : {-0.5 * abs(distance), 1.0 * real(min(distance, 7) - max(-distance, 2)) + 0.0,
                           real(abs(3 * (q_index() - kv_index()))) / 1.0, real(-(-distance)) * 1.0}) {
    const Expr simple = simplify(expr, true);
    for (std::int64_t q = 0; q < 40; q += 3)
      for (std::int64_t kv = 0; kv <= q + 10; kv += 7)
        CHECK(value_at(simple, q, kv) == doctest::Approx(value_at(expr, q, kv)));
  }
}

}  // namespace flashbias::codegen
