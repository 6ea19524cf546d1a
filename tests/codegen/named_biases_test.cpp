#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "flashbias/bias.hpp"
#include "tests/codegen/integer_value.hpp"
#include "tests/errors.hpp"

using namespace flashbias;
using namespace flashbias::bias;
using testing::config_rejection;
using testing::integer_value;
using testing::says;

namespace {

/// The index of a named table bias.
const Expr& index_of(const Expr& bias) {
  REQUIRE(bias.op() == Op::named);
  REQUIRE(bias.arg(0).op() == Op::table);
  return bias.arg(0).arg(0);
}

std::int64_t entries_of(const Expr& bias) { return bias.arg(0).node().integer; }

/// T5's `_relative_position_bucket` as its published models compute it, in float32.
int t5_bucket(int relative_position, int buckets, int max_distance, bool bidirectional) {
  int bucket = 0;
  int n = 0;
  if (bidirectional) {
    buckets /= 2;
    if (relative_position > 0) bucket += buckets;
    n = std::abs(relative_position);
  } else {
    n = std::max(-relative_position, 0);
  }
  const int max_exact = buckets / 2;
  if (n < max_exact) return bucket + n;
  const float log_ratio = std::log(static_cast<float>(n) / static_cast<float>(max_exact));
  const auto log_range = static_cast<float>(std::log(static_cast<double>(max_distance) / max_exact));
  const auto large = max_exact + static_cast<int>(log_ratio / log_range * static_cast<float>(buckets - max_exact));
  return bucket + std::min(large, buckets - 1);
}

}  // namespace

TEST_CASE("the last query is at the last key") {
  CHECK(integer_value(q_position(), {.i = 6, .q_length = 7, .kv_length = 100}) == 99);
  CHECK(integer_value(q_position(), {.i = 0, .q_length = 7, .kv_length = 3}) == -4);
}

TEST_CASE("relative_position clips the distance at both ends") {
  const Expr bias = relative_position(3);
  CHECK(entries_of(bias) == 7);
  for (int i = 0; i < 12; ++i) {
    for (int j = 0; j < 12; ++j) {
      const auto index = integer_value(index_of(bias), {.i = i, .j = j, .q_length = 12, .kv_length = 12});
      CHECK(index == std::clamp(j - i, -3, 3) + 3);
    }
  }
}

TEST_CASE("t5_relative_position puts every distance in the published bucket") {
  struct Case {
    int buckets, max_distance;
    bool bidirectional;
  };
  for (const auto& [buckets, max_distance, bidirectional] :
       {Case{32, 128, true}, Case{32, 128, false}, Case{64, 256, true}, Case{6, 20, true}, Case{2, 5, false}}) {
    const Expr bias = t5_relative_position(buckets, max_distance, bidirectional);
    CHECK(entries_of(bias) == buckets);
    for (int distance = -2000; distance <= 2000; ++distance) {
      CAPTURE(buckets);
      CAPTURE(distance);
      const testing::Place place{.i = 2000, .j = 2000 + distance, .q_length = 4001, .kv_length = 4001};
      REQUIRE(integer_value(index_of(bias), place) == t5_bucket(distance, buckets, max_distance, bidirectional));
    }
  }
}

TEST_CASE("window_relative_position gives one entry to each offset in rows and columns") {
  constexpr int kHeight = 5;
  constexpr int kWidth = 3;
  constexpr int kTokens = kHeight * kWidth;
  const Expr bias = window_relative_position(kHeight, kWidth);
  CHECK(entries_of(bias) == (2 * kHeight - 1) * (2 * kWidth - 1));
  for (int i = 0; i < kTokens; ++i) {
    for (int j = 0; j < kTokens; ++j) {
      const int rows = i / kWidth - j / kWidth + kHeight - 1;
      const int columns = i % kWidth - j % kWidth + kWidth - 1;
      const auto index = integer_value(index_of(bias), {.i = i, .j = j, .q_length = kTokens, .kv_length = kTokens});
      CHECK(index == rows * (2 * kWidth - 1) + columns);
    }
  }
}

TEST_CASE("earth_relative_position gives one entry to each level pair, latitude pair and longitude offset") {
  constexpr int kLevels = 2;
  constexpr int kLatitudes = 3;
  constexpr int kLongitudes = 4;
  constexpr int kTokens = kLevels * kLatitudes * kLongitudes;
  const Expr bias = earth_relative_position(kLevels, kLatitudes, kLongitudes);
  using Triple = std::tuple<int, int, int>;
  std::map<Triple, std::int64_t> entry_of;
  std::set<std::int64_t> entries;
  for (int i = 0; i < kTokens; ++i) {
    for (int j = 0; j < kTokens; ++j) {
      const int levels = i / (kLatitudes * kLongitudes) + j / (kLatitudes * kLongitudes) * kLevels;
      const int latitudes = i / kLongitudes % kLatitudes + j / kLongitudes % kLatitudes * kLatitudes;
      const int longitude = i % kLongitudes - j % kLongitudes + kLongitudes - 1;
      const auto index = integer_value(index_of(bias), {.i = i, .j = j, .q_length = kTokens, .kv_length = kTokens});
      CHECK(index == (levels * kLatitudes * kLatitudes + latitudes) * (2 * kLongitudes - 1) + longitude);
      CHECK(index >= 0);
      CHECK(index < entries_of(bias));
      const auto [known, fresh] = entry_of.emplace(Triple{levels, latitudes, longitude}, index);
      CHECK(known->second == index);
      entries.insert(index);
    }
  }
  CHECK(entries.size() == entry_of.size());
  CHECK(static_cast<std::int64_t>(entries.size()) == entries_of(bias));
  CHECK(entries_of(earth_relative_position(2, 6, 12)) == 3312);
}

TEST_CASE("named biases are written in the language") {
  CHECK(to_string(alibi().arg(0)) == "-head_scalar(slopes) * abs(q_position() - kv_index())");
  CHECK(to_string(low_rank(4).arg(0)) == "dot(query_input(q_factors, 4, like_q), key_input(k_factors, 4, like_q))");
  CHECK(to_string(dense(DType::f32).arg(0)) == "pair_input(bias, f32)");
  CHECK(to_string(key_padding_mask().arg(0)) == "select(key_input(key_padding_mask, 1, u8) == 0, -infinity, 0.0)");
  const std::string square =
      "dot(query_input(q_positions, 2) - key_input(k_positions, 2), "
      "query_input(q_positions, 2) - key_input(k_positions, 2))";
  const auto distance = [](DistanceWeight weight) { return to_string(squared_distance(2, weight).arg(0)); };
  CHECK(distance(DistanceWeight::none) == "-" + square);
  CHECK(distance(DistanceWeight::per_head) == "-head_scalar(distance_weight) * " + square);
  CHECK(distance(DistanceWeight::per_query) == "-query_input(distance_weight) * " + square);
  CHECK(distance(DistanceWeight::per_key) == "-key_input(distance_weight) * " + square);
}

TEST_CASE("approximate is the product of factors named after what they stand in for") {
  const Expr window = approximate(window_relative_position(24, 24), 16);
  CHECK(to_string(window) == "approximate(window_relative_position(24, 24), 16)");
  CHECK(to_string(window.arg(0)) ==
        "dot(query_input(q_factors_window_relative_position_24_24, 16, like_q), "
        "key_input(k_factors_window_relative_position_24_24, 16, like_q))");
  CHECK(to_string(approximate(-abs(q_index() - kv_index()), 4, DType::f32)) ==
        "approximate(-abs(q_index() - kv_index()), 4, f32)");
  CHECK(equal(parse_expr(to_string(window)), window));
  CHECK_FALSE(equal(window, approximate(window_relative_position(24, 24), 15)));
}

TEST_CASE("approximations of different expressions have factors of different names") {
  const Expr distance = abs(q_index() - kv_index());
  std::set<std::string> names;
  const std::vector<Expr> exprs{
      distance, -distance,         distance + 1,           alibi(),
      dense(),  dense(DType::f32), t5_relative_position(), t5_relative_position(32, 128, false)};
  for (const Expr& expr : exprs) {
    CHECK_NOTHROW((void)approximate(expr, 8));
    names.insert(factor_names(expr).q);
    names.insert(factor_names(expr).k);
  }
  CHECK(names.size() == 2 * exprs.size());
  CHECK(factor_names(dense()).q == "q_factors_dense");
  // Part of saved files: it must never change.
  CHECK(factor_names(distance).k == "k_factors_5f14356e4f24b221");
}

TEST_CASE("what an approximation stands in for counts toward the bounds of an expression") {
  Expr wide = q_index() * kv_index();
  for (int i = 0; i < 10; ++i) wide = wide + wide;  // 4095 operations and operands
  CHECK_NOTHROW((void)(approximate(wide, 4) + 1.0));
  CHECK(says(config_rejection([&] { (void)(approximate(wide, 4) + approximate(wide, 4)); }),
             "operations when written out"));
}

TEST_CASE("parameters out of range are named") {
  CHECK(config_rejection([] { (void)approximate(alibi(), 0); }) == "approximate has rank 0; 1 to 128 are accepted");
  CHECK(config_rejection([] { (void)approximate(alibi(), 129); }) == "approximate has rank 129; 1 to 128 are accepted");
  CHECK(config_rejection([] { (void)approximate(q_index() < 3, 4); }) ==
        "approximate is given `q_index() < 3` (boolean); it takes what gives one number a score");
  CHECK(says(config_rejection([] { (void)approximate(query_input("x", 3), 4); }), "(real[3])"));
  CHECK(
      config_rejection([] { (void)approximate(approximate(alibi(), 4) + 1.0, 4); }) ==
      "approximate is given `approximate(alibi(), 4) + 1.0`, which holds an approximation; approximate the whole once");
  CHECK(config_rejection([] { (void)low_rank(0); }) == "low_rank has rank 0; 1 to 128 are accepted");
  CHECK(config_rejection([] { (void)low_rank(200); }) == "low_rank has rank 200; 1 to 128 are accepted");
  CHECK(config_rejection([] { (void)squared_distance(0); }) == "squared_distance has dims 0; 1 to 128 are accepted");
  CHECK(says(config_rejection([] { (void)relative_position(0); }), "relative_position has max_distance 0"));
  CHECK(says(config_rejection([] { (void)t5_relative_position(2); }), "buckets 2; 4 to 256"));
  CHECK(
      says(config_rejection([] { (void)t5_relative_position(33); }), "buckets 33; bidirectional needs an even number"));
  CHECK(says(config_rejection([] { (void)t5_relative_position(32, 8); }), "max_distance 8; 9 to"));
  CHECK(says(config_rejection([] { (void)window_relative_position(0, 8); }), "height 0"));
  CHECK(says(config_rejection([] { (void)window_relative_position(8, 513); }), "width 513; 1 to 512"));
  CHECK(says(config_rejection([] { (void)earth_relative_position(2, 0, 12); }), "latitudes 0"));
  CHECK(says(config_rejection([] { (void)earth_relative_position(8, 64, 64); }),
             "earth_relative_position(8, 64, 64) needs a table of 33292288 entries"));
}

TEST_CASE("the largest named biases stay within the bounds of an expression") {
  CHECK(entries_of(t5_relative_position(256, 1 << 19, false)) == 256);
  CHECK(entries_of(window_relative_position(512, 512)) == 1023 * 1023);
  CHECK(entries_of(relative_position((1 << 19) - 1)) == (1 << 20) - 1);
}
