#include <doctest/doctest.h>

#include <limits>

#include "flashbias/bias.hpp"

using namespace flashbias;
using namespace flashbias::bias;

TEST_CASE("an expression prints as typed") {
  const Expr i = q_index();
  const Expr j = kv_index();
  const Expr x = query_input("x", 3);
  const Expr s = head_scalar("s");

  CHECK(to_string(-s * abs(q_position() - j)) == "-head_scalar(s) * abs(q_position() - kv_index())");
  CHECK(to_string(select(abs(i - j) < 128, 0.0, -infinity())) ==
        "select(abs(q_index() - kv_index()) < 128, 0.0, -infinity)");
  CHECK(to_string(alibi() + key_padding_mask()) == "alibi() + key_padding_mask()");
  CHECK(to_string(x[1]) == "query_input(x, 3)[1]");
  CHECK(to_string((x - 2 * x)[0]) == "(query_input(x, 3) - 2.0 * query_input(x, 3))[0]");
  CHECK(to_string(i > j || i != j) == "kv_index() < q_index() || q_index() != kv_index()");
  CHECK(to_string(!(i < j)) == "!(q_index() < kv_index())");
}

TEST_CASE("parentheses appear where the meaning needs them") {
  const Expr a = head();
  const Expr b = batch();
  CHECK(to_string(a - (b - a)) == "head() - (batch() - head())");
  CHECK(to_string((a - b) - a) == "head() - batch() - head()");
  CHECK(to_string((a + b) * a) == "(head() + batch()) * head()");
  CHECK(to_string(a + b * a) == "head() + batch() * head()");
  CHECK(to_string(a / (b * a)) == "head() / (batch() * head())");
  CHECK(to_string(-(a + b)) == "-(head() + batch())");
  CHECK(to_string(-a + b) == "-head() + batch()");
  CHECK(to_string(-(-a)) == "-(-head())");
  CHECK(to_string(a - -3) == "head() - -3");
  CHECK(to_string((a < b || b < a) && a == b) == "(head() < batch() || batch() < head()) && head() == batch()");
}

TEST_CASE("conversions that building inserts by itself are not printed") {
  const Expr s = head_scalar("s");
  CHECK(to_string(q_index() * s) == "q_index() * head_scalar(s)");
  CHECK(to_string(sqrt(q_index())) == "sqrt(q_index())");
  CHECK(to_string(select(head() < 2, q_index(), s)) == "select(head() < 2, q_index(), head_scalar(s))");
  CHECK(to_string(real(q_index()) / real(kv_index())) == "real(q_index()) / real(kv_index())");
  CHECK(to_string(abs(real(q_index()))) == "abs(real(q_index()))");
  CHECK(to_string(real(q_index() < 2) * s) == "real(q_index() < 2) * head_scalar(s)");
}

TEST_CASE("literals print so that their type is seen") {
  CHECK(to_string(Expr(3)) == "3");
  CHECK(to_string(Expr(3.0)) == "3.0");
  CHECK(to_string(Expr(1e-3)) == "0.001");
  CHECK(to_string(Expr(1e300)) == "1e+300");
  CHECK(to_string(Expr(0.1)) == "0.1");
  CHECK(to_string(Expr(-0.0)) == "-0.0");
  CHECK(to_string(Expr(true)) == "true");
  CHECK(to_string(-infinity()) == "-infinity");
  CHECK(to_string(Expr(std::numeric_limits<std::int64_t>::min())) == "-9223372036854775808");
}

TEST_CASE("inputs print the dims and dtype that are not the usual ones") {
  CHECK(to_string(head_scalar("s")) == "head_scalar(s)");
  CHECK(to_string(head_scalar("s", DType::bf16)) == "head_scalar(s, bf16)");
  CHECK(to_string(query_input("x")) == "query_input(x)");
  CHECK(to_string(query_input("x", 3)) == "query_input(x, 3)");
  CHECK(to_string(key_input("mask", 1, DType::u8)) == "key_input(mask, 1, u8)");
  CHECK(to_string(key_input("x", 2, std::nullopt)) == "key_input(x, 2, like_q)");
  CHECK(to_string(pair_input("p")) == "pair_input(p)");
  CHECK(to_string(pair_input("p", DType::f32)) == "pair_input(p, f32)");
  CHECK(to_string(table("t", 9, head() + 1)) == "table(t, 9, head() + 1)");
  CHECK(to_string(table("t", 9, head(), DType::bf16)) == "table(t, 9, head(), bf16)");
}

TEST_CASE("named biases print as the call that makes them") {
  CHECK(to_string(none()) == "none()");
  CHECK(to_string(none() + alibi()) == "0.0 + alibi()");
  CHECK(to_string(relative_position(32)) == "relative_position(32)");
  CHECK(to_string(t5_relative_position()) == "t5_relative_position(32, 128, bidirectional)");
  CHECK(to_string(t5_relative_position(32, 128, false)) == "t5_relative_position(32, 128, unidirectional)");
  CHECK(to_string(window_relative_position(24, 24)) == "window_relative_position(24, 24)");
  CHECK(to_string(earth_relative_position(2, 6, 12)) == "earth_relative_position(2, 6, 12)");
  CHECK(to_string(squared_distance(3, DistanceWeight::per_query)) == "squared_distance(3, per_query)");
  CHECK(to_string(squared_distance(2)) == "squared_distance(2, per_head)");
  CHECK(to_string(low_rank(96)) == "low_rank(96)");
  CHECK(to_string(low_rank(8, DType::f32)) == "low_rank(8, f32)");
  CHECK(to_string(dense()) == "dense()");
  CHECK(to_string(q_position()) == "q_position()");
}
