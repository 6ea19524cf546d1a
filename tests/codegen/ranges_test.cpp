#include <doctest/doctest.h>

#include <string>

#include "flashbias/config.hpp"
#include "flashbias/plan.hpp"
#include "tests/errors.hpp"

namespace flashbias {
namespace {

using namespace bias;

std::string refusal(const auto& action) { return testing::message_of(ErrorCode::invalid_config, action); }

}  // namespace

TEST_CASE("declared ranges are part of an expression and of its text") {
  for (const Expr& expr : {key_input("x", 3).range(-1, 1) * 2.0, Expr(kv_index().range(0, 4095)),
                           head_scalar("a").range(0, 1e-3) + table("t", 4, kv_index() % 4).range(-2.5, 2.5),
                           squared_distance(3).range("q_positions", -1, 1).range("distance_weight", 0, 2),
                           approximate(alibi(), 4).range("q_factors_alibi", -1, 1),
                           2 * approximate(q_index() + alibi(), 4, DType::f32)
                                   .range(factor_names(q_index() + alibi()).q, -1, 1)
                                   .range(factor_names(q_index() + alibi()).k, -2, 2),
                           alibi().range("kv_index", 0, 100) + query_input("x", 3).range(-1, 1)[2]}) {
    CAPTURE(to_string(expr));
    CHECK(equal(parse_expr(to_string(expr)), expr));
  }
  CHECK(to_string(key_input("x", 3).range(-1, 0.5)) == "key_input(x, 3).range(-1, 0.5)");
  CHECK(to_string(squared_distance(3).range("q_positions", -1, 1)) ==
        "squared_distance(3, per_head).range(q_positions, -1, 1)");
  CHECK(to_string(approximate(alibi(), 4).range("q_factors_alibi", -1, 1)) ==
        "approximate(alibi(), 4).range(q_factors_alibi, -1, 1)");
  CHECK_FALSE(equal(key_input("x").range(0, 1), key_input("x")));
}

TEST_CASE("a range at one use holds at all uses, and two of them where they agree") {
  const auto range_of_x = [](const Expr& expr) { return plan({.bias = expr, .arch = Arch{90}}).inputs.at(0).range; };
  const Expr x = key_input("x");
  CHECK(range_of_x(x.range(-1, 1) + x * x) == Range{-1, 1});
  CHECK(range_of_x(x.range(-1, 1) + x.range(0, 3)) == Range{0, 1});
  CHECK_FALSE(range_of_x(x + x).has_value());
  CHECK(refusal([&] { static_cast<void>(range_of_x(x.range(-1, 0) + x.range(1, 2))); }) ==
        "bias: 'x' is declared to range from -1 to 0 and from 1 to 2, which have nothing in common; declare it once");
}

TEST_CASE("ranges of nothing, or without a number, are refused") {
  CHECK(
      refusal([] { static_cast<void>((key_input("x") + 1.5).range(0, 1)); }) ==
      "`key_input(x) + 1.5` is neither an input nor an index, whose range alone can be declared; to declare that of an "
      "input inside, name it: .range(name, 0, 1)");
  CHECK(refusal([] { static_cast<void>(key_input("x").range(1, -1)); }).find("holds no number") != std::string::npos);
  CHECK(refusal([] { static_cast<void>(key_input("x").range(0, 1e300)); }).find("finite in f32") != std::string::npos);
  CHECK(refusal([] { static_cast<void>(alibi().range("slope", 0, 1)); }) ==
        "`alibi()` has no input 'slope' whose range could be declared");
  CHECK(testing::message_of(ErrorCode::parse, [] {
          static_cast<void>(parse_expr("key_input(x).rang(0, 1)"));
        }).find("expected 'range', not 'rang'") != std::string::npos);
  CHECK(testing::message_of(ErrorCode::parse, [] {
          static_cast<void>(parse_expr("key_input(x).range(0)"));
        }).find("range([input, ]low, high)") != std::string::npos);
}

TEST_CASE("a declared range of an index begins at 0, where every sequence does") {
  CHECK(refusal([] { static_cast<void>(table("t", 6, kv_index().range(5, 10) - 5)); }) ==
        "the range 5 to 10 of `kv_index()` leaves out 0, which every sequence has; declare 0 to 10");
  CHECK(refusal([] { static_cast<void>(1.0 / kv_index().range(1, 100)); }).find("declare 0 to 100") !=
        std::string::npos);
  CHECK(refusal([] { static_cast<void>(alibi().range("kv_index", 0.5, 9)); }) ==
        "the range 0.5 to 9 of `kv_index()` leaves out 0, which every sequence has; declare 0 to 9");
  CHECK(refusal([] { static_cast<void>(q_index().range(-8, -1)); }) ==
        "the range -8 to -1 of `q_index()` leaves out 0, which every sequence has; declare 0 to its greatest index");
  CHECK_NOTHROW((void)kv_index().range(-1, 0));
}

TEST_CASE("a declared range of an integer holds an integer") {
  const Expr x = query_input("x", 1, DType::i32);
  CHECK(refusal([&] { static_cast<void>(x.range(0.2, 0.8)); }) ==
        "the range 0.2 to 0.8 of `query_input(x, 1, i32)` holds no integer, which all its values are; declare 0 to 1");
  CHECK_NOTHROW((void)x.range(0.2, 1));
  CHECK_NOTHROW((void)query_input("x").range(0.2, 0.8));
  CHECK(refusal([&] {
          static_cast<void>(plan({.bias = real(x.range(0, 1.5) + x.range(1.2, 3)), .arch = Arch{90}}));
        }).find("which have nothing in common") != std::string::npos);
}

TEST_CASE("a declared range of an index bounds the lengths that a kernel serves") {
  const KernelPlan made = plan({.bias = real(q_index().range(0, 99) * kv_index()), .arch = Arch{90}});
  CHECK(made.max_q_length == 100);
  CHECK_FALSE(made.max_kv_length.has_value());
}

TEST_CASE("a lowering can be forced where it serves a term") {
  const auto lowering = [](const Expr& expr, Lowering forced) {
    return plan({.bias = expr, .causal = true, .arch = Arch{90}, .lowering = forced}).terms.at(0).lowering;
  };
  for (const Lowering forced : {Lowering::key_column, Lowering::diagonal, Lowering::registers})
    CHECK(lowering(alibi(), forced) == forced);
  const Expr distance = squared_distance(3, DistanceWeight::none);
  const Expr near = distance.range("q_positions", -1, 1).range("k_positions", -1, 1);
  CHECK(lowering(near, Lowering::factors) == Lowering::factors);
  CHECK(lowering(near, Lowering::registers) == Lowering::registers);
  CHECK(refusal([&] {
          static_cast<void>(lowering(distance, Lowering::factors));
        }).find("declare the ranges of k_positions, q_positions") != std::string::npos);
  CHECK(refusal([&] { static_cast<void>(lowering(alibi(), Lowering::table)); }) ==
        "lowering is table, which no term of the bias can take; leave it out, or see `flashbias explain` for those "
        "that can");
  const AttentionConfig config{.bias = alibi(), .arch = Arch{90}, .lowering = Lowering::key_column};
  CHECK(to_string(config).find("lowering=key_column") != std::string::npos);
  CHECK(parse_config(to_string(config)) == config);
}

}  // namespace flashbias
