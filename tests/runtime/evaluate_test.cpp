#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "flashbias/bias.hpp"
#include "flashbias/reference.hpp"
#include "tests/errors.hpp"
#include "tests/filled_tensor.hpp"

using namespace flashbias;
using reference::evaluate;
using reference::Inputs;
using reference::Point;
using testing::FilledTensor;
using testing::message_of;
using testing::says;

namespace {

constexpr Point kPoint{.batch = 1, .head = 2, .q_index = 3, .kv_index = 5, .q_length = 6, .kv_length = 8};

double value(const Expr& expr, const Inputs& inputs = {}) { return evaluate(expr, kPoint, inputs); }

}  // namespace

TEST_CASE("leaves tell where the score is") {
  CHECK(value(bias::q_index()) == 3);
  CHECK(value(bias::kv_index()) == 5);
  CHECK(value(bias::q_length()) == 6);
  CHECK(value(bias::kv_length()) == 8);
  CHECK(value(bias::q_position()) == 5);
  CHECK(value(bias::head()) == 2);
  CHECK(value(bias::batch()) == 1);
  CHECK(value(bias::infinity()) == std::numeric_limits<double>::infinity());
}

TEST_CASE("arithmetic is that of integers or of reals") {
  const Expr i = bias::q_index();   // 3
  const Expr j = bias::kv_index();  // 5
  CHECK(value(-i + j * 2 - 1) == 6);
  CHECK(value(j / i) == 1);
  CHECK(value(-j / i) == -1);
  CHECK(value(-j % i) == -2);
  CHECK(value(j / (i - 3)) == 0);
  CHECK(value(real(j) / 4) == 1.25);
  CHECK(value(min(i, j)) == 3);
  CHECK(value(max(i, 3.5)) == 3.5);
  CHECK(value(clamp(j, 0, 4)) == 4);
  CHECK(value(clamp(-j, -1.5, 4)) == -1.5);
  CHECK(value(abs(i - j)) == 2);
  CHECK(value(abs(real(i) - 3.25)) == 0.25);
  CHECK(value(sqrt(i + 1)) == 2);
  CHECK(value(exp(log(real(j)))) == doctest::Approx(5));
  CHECK(value(sin(i) * sin(i) + cos(i) * cos(i)) == doctest::Approx(1));
  CHECK(value(atan2(i - 4, 0)) == doctest::Approx(-std::acos(0.0)));
  CHECK(value(atan2(0, i - j)) == doctest::Approx(std::acos(-1.0)));
  CHECK(value(atan2(0 * i, 0)) == 0);
}

TEST_CASE("conditions select") {
  const Expr i = bias::q_index();
  const Expr j = bias::kv_index();
  CHECK(value(select(i < j, 1, 2)) == 1);
  CHECK(value(select(i >= j, 1.5, 2.5)) == 2.5);
  CHECK(value(select(i == 3 && j != 3, 1, 0)) == 1);
  CHECK(value(select(i <= 2 || j <= 5, 1, 0)) == 1);
  CHECK(value(select(!(i == 3), 1, 0)) == 0);
  CHECK(value(real(i < j)) == 1);
}

TEST_CASE("inputs are read where the score is") {
  const FilledTensor slopes(DType::f32, {4}, {1, 2, 4, 8});
  const FilledTensor q_positions(DType::f32, {1, 6, 1, 2}, {0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0});
  std::vector<double> numbers(2 * 8);
  numbers[8 + 5] = 7;
  const FilledTensor mask(DType::u8, {2, 8}, numbers);
  std::vector<double> scores(6 * 8);
  scores[3 * 8 + 5] = -0.5;
  const FilledTensor dense(DType::bf16, {6, 8}, scores);
  const Inputs inputs{{"slopes", slopes}, {"x", q_positions}, {"mask", mask}, {"bias", dense}};

  CHECK(value(bias::head_scalar("slopes"), inputs) == 4);
  const Expr x = bias::query_input("x", 2);
  CHECK(value(x[0], inputs) == 1);
  CHECK(value(dot(x, x), inputs) == 5);
  CHECK(value((2.0 * x + x)[1], inputs) == 6);
  CHECK(value(bias::key_input("mask", 1, DType::u8) / 2, inputs) == 3);
  CHECK(value(bias::pair_input("bias"), inputs) == -0.5);
}

TEST_CASE("a table is looked up a head, its index clamped") {
  const FilledTensor table(DType::f32, {3, 2}, {10, 11, 20, 21, 30, 31});
  const Inputs inputs{{"t", table}};
  CHECK(value(bias::table("t", 2, bias::kv_index() - 5), inputs) == 30);
  CHECK(value(bias::table("t", 2, bias::kv_index()), inputs) == 31);
  CHECK(value(bias::table("t", 2, -bias::kv_index()), inputs) == 30);
}

TEST_CASE("named biases mean what they say") {
  const FilledTensor slopes(DType::f32, {4}, {1, 2, 0.25, 8});
  CHECK(evaluate(bias::alibi(), {.head = 2, .q_index = 1, .kv_index = 7, .q_length = 8, .kv_length = 8},
                 {{"slopes", slopes}}) == -1.5);

  const FilledTensor clipped(DType::f32, {5}, {-2, -1, 0, 1, 2});
  const Inputs relative{{"relative_bias", clipped}};
  const auto distance = [&](std::int64_t i, std::int64_t j) {
    return evaluate(bias::relative_position(2), {.q_index = i, .kv_index = j, .q_length = 9, .kv_length = 9}, relative);
  };
  CHECK(distance(4, 4) == 0);
  CHECK(distance(4, 5) == 1);
  CHECK(distance(4, 8) == 2);
  CHECK(distance(4, 1) == -2);

  const FilledTensor q(DType::f32, {1, 2, 1, 3}, {0, 0, 0, 1, 2, 3});
  const FilledTensor k(DType::f32, {1, 1, 1, 3}, {0, 0, 1});
  const FilledTensor weight(DType::f32, {1}, {0.5});
  CHECK(evaluate(bias::squared_distance(3), {.q_index = 1, .q_length = 2},
                 {{"q_positions", q}, {"k_positions", k}, {"distance_weight", weight}}) == -4.5);

  const FilledTensor q_factors(DType::f16, {1, 1, 1, 2}, {1, 2});
  const FilledTensor k_factors(DType::f16, {1, 1, 1, 2}, {3, 4});
  CHECK(evaluate(bias::low_rank(2), {}, {{"q_factors", q_factors}, {"k_factors", k_factors}}) == 11);

  const FilledTensor mask(DType::u8, {1, 2}, {0, 1});
  const Inputs padding{{"key_padding_mask", mask}};
  CHECK(evaluate(bias::key_padding_mask(), {.kv_index = 0, .kv_length = 2}, padding) ==
        -std::numeric_limits<double>::infinity());
  CHECK(evaluate(bias::key_padding_mask(), {.kv_index = 1, .kv_length = 2}, padding) == 0);
}

TEST_CASE("T5's buckets are those of the published models") {
  std::vector<double> numbers(32);
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<double>(i);
  const FilledTensor table(DType::f32, {32}, numbers);
  const auto bucket = [&](std::int64_t i, std::int64_t j) {
    return evaluate(bias::t5_relative_position(), {.q_index = i, .kv_index = j, .q_length = 1000, .kv_length = 1000},
                    {{"relative_bias", table}});
  };
  CHECK(bucket(10, 10) == 0);
  CHECK(bucket(10, 9) == 1);
  CHECK(bucket(10, 11) == 17);
  CHECK(bucket(10, 2) == 8);
  CHECK(bucket(100, 88) == 9);  // 8 + floor(8 log(12 / 8) / log(128 / 8))
  CHECK(bucket(900, 100) == 15);
  CHECK(bucket(100, 900) == 31);
}

TEST_CASE("inputs that are missing or do not hold the point are errors") {
  const FilledTensor slopes(DType::f32, {2}, {1, 2});
  const auto message = [](const Expr& expr, const Point& point, const Inputs& inputs) {
    return message_of(ErrorCode::invalid_argument, [&] { (void)evaluate(expr, point, inputs); });
  };
  CHECK(says(message(bias::head_scalar("slope"), {}, {{"slopes", slopes}}),
             "bias input 'slope' is missing; given: 'slopes'"));
  CHECK(says(message(bias::head_scalar("slopes"), {}, {}), "given: none"));
  CHECK(says(message(bias::head_scalar("slopes"), {.head = 2}, {{"slopes", slopes}}), "[B|1, H|1] = [1, 3]"));
  CHECK(says(message(bias::key_input("slopes"), {.kv_index = 2, .kv_length = 2}, {{"slopes", slopes}}), "key 2 of 2"));
}
