#include "flashbias/reference.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "tests/errors.hpp"
#include "tests/filled_tensor.hpp"

using namespace flashbias;
using reference::attention;
using reference::Row;
using testing::FilledTensor;
using testing::message_of;
using testing::says;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Numbers that look random and that every format holds exactly.
std::vector<double> numbers(std::size_t count, std::uint32_t seed) {
  std::vector<double> result(count);
  for (double& number : result) {
    seed = seed * 1664525U + 1013904223U;
    number = static_cast<double>(seed >> 24U) / 64 - 2;
  }
  return result;
}

/// Two keys of head_dim 8 whose scores are q . k = {log 1, log 3} up to the bias, values {0, 1} and {4, 5}.
struct TwoKeys {
  AttentionConfig config{.head_dim = 8, .head_dim_v = 8};
  FilledTensor q{DType::f32, {1, 1, 1, 8}, {1, 0, 0, 0, 0, 0, 0, 0}};
  FilledTensor k{DType::f32, {1, 2, 1, 8}, {0, 0, 0, 0, 0, 0, 0, 0, std::log(3.0), 0, 0, 0, 0, 0, 0, 0}};
  FilledTensor v{DType::f32, {1, 2, 1, 8}, {0, 1, 0, 0, 0, 0, 0, 0, 4, 5, 0, 0, 0, 0, 0, 0}};

  Row solve(const reference::Inputs& inputs = {}) {
    std::vector<Row> rows(1);
    attention(config, q, k, v, inputs, 1.0, rows, 1);
    return rows[0];
  }
};

}  // namespace

TEST_CASE("attention is the mean of the values weighted by the softmax of the scores") {
  const Row row = TwoKeys().solve();
  CHECK(row.out[0] == doctest::Approx(3).epsilon(1e-6));
  CHECK(row.out[1] == doctest::Approx(4).epsilon(1e-6));
  CHECK(row.log_sum_exp == doctest::Approx(std::log(4.0)).epsilon(1e-6));
}

TEST_CASE("the bias is added to the scores") {
  const FilledTensor dense(DType::f32, {1, 2}, {std::log(6.0), 0});
  TwoKeys problem;
  problem.config.bias = bias::dense(DType::f32);
  const Row row = problem.solve({{"bias", dense}});
  CHECK(row.out[0] == doctest::Approx(4.0 / 3).epsilon(1e-6));
  CHECK(row.log_sum_exp == doctest::Approx(std::log(9.0)).epsilon(1e-6));

  problem.config.bias = bias::q_index() + 2;  // the same for all keys: only the log-sum-exp moves
  CHECK(problem.solve().out[0] == doctest::Approx(3).epsilon(1e-6));
  CHECK(problem.solve().log_sum_exp == doctest::Approx(std::log(4.0) + 2).epsilon(1e-6));
}

TEST_CASE("hidden keys do not count; a row without keys is zero") {
  TwoKeys problem;
  problem.config.bias = bias::key_padding_mask();
  const FilledTensor second_only(DType::u8, {1, 2}, {0, 1});
  CHECK(problem.solve({{"key_padding_mask", second_only}}).out[0] == 4);
  const FilledTensor none(DType::u8, {1, 2}, {0, 0});
  const Row masked = problem.solve({{"key_padding_mask", none}});
  CHECK(masked.out == std::vector<double>(8));
  CHECK(masked.log_sum_exp == -kInfinity);
}

TEST_CASE("no keys give zeros") {
  TwoKeys problem;
  problem.k.view().shape[1] = problem.v.view().shape[1] = 0;
  CHECK(problem.solve().out == std::vector<double>(8));
  CHECK(problem.solve().log_sum_exp == -kInfinity);
}

TEST_CASE("NaN and infinity spread as in arithmetic") {
  TwoKeys problem;
  reference::write_element(problem.k, 8, std::nan(""));
  CHECK(std::isnan(problem.solve().out[0]));
  CHECK(std::isnan(problem.solve().log_sum_exp));
  reference::write_element(problem.k, 8, kInfinity);
  CHECK(std::isnan(problem.solve().out[0]));
}

TEST_CASE("the causal mask is aligned to the bottom right") {
  // With equal scores each output is the mean index of the keys seen.
  const auto outputs = [](std::int64_t q_length, std::int64_t kv_length) {
    const FilledTensor q(DType::f16, {1, q_length, 1, 8}, std::vector<double>(static_cast<std::size_t>(q_length) * 8));
    std::vector<double> values(static_cast<std::size_t>(kv_length) * 8);
    for (std::size_t j = 0; j < values.size(); j += 8) values[j] = static_cast<double>(j / 8);
    const FilledTensor k(DType::f16, {1, kv_length, 1, 8}, std::vector<double>(values.size()));
    const FilledTensor v(DType::f16, {1, kv_length, 1, 8}, values);
    std::vector<Row> rows(static_cast<std::size_t>(q_length));
    for (std::size_t i = 0; i < rows.size(); ++i) rows[i].q_index = static_cast<std::int64_t>(i);
    attention({.head_dim = 8, .causal = true}, q, k, v, {}, 1.0, rows, 2);
    std::vector<double> result;
    for (const Row& row : rows) result.push_back(row.log_sum_exp == -kInfinity ? -1 : row.out[0]);
    return result;
  };
  CHECK(outputs(3, 3) == std::vector<double>{0, 0.5, 1});
  CHECK(outputs(2, 4) == std::vector<double>{1, 1.5});
  CHECK(outputs(4, 2) == std::vector<double>{-1, -1, 0, 0.5});
}

TEST_CASE("any strides, grouped heads and every thread count give the same rows") {
  constexpr std::int64_t B = 2, Nq = 5, Nk = 9, H = 6, Hk = 2, D = 8, Dv = 16;
  const FilledTensor q(DType::bf16, {B, Nq, H, D}, numbers(B * Nq * H * D, 1));
  const FilledTensor k(DType::bf16, {B, Nk, Hk, D}, numbers(B * Nk * Hk * D, 2));
  FilledTensor v(DType::bf16, {B, Hk, Nk, Dv}, numbers(B * Nk * Hk * Dv, 3));
  v.view().shape = {B, Nk, Hk, Dv};  // heads outside tokens
  std::swap(v.view().strides[1], v.view().strides[2]);
  const FilledTensor slopes(DType::f32, {H}, {0.5, 0.25, 0.125, 1, 2, 4});
  const AttentionConfig config{.dtype = DType::bf16, .head_dim = D, .head_dim_v = Dv, .bias = bias::alibi()};

  std::vector<Row> rows;
  for (std::int64_t b = 0; b < B; ++b) {
    for (std::int64_t h = 0; h < H; ++h) {
      for (std::int64_t i = 0; i < Nq; ++i) rows.push_back({.batch = b, .head = h, .q_index = i, .out = {}});
    }
  }
  attention(config, q, k, v, {{"slopes", slopes}}, 0.25, rows, 3);

  const auto at = [](const TensorView& t, std::int64_t b, std::int64_t n, std::int64_t h, std::int64_t c) {
    return reference::read_element(t, b * t.strides[0] + n * t.strides[1] + h * t.strides[2] + c);
  };
  for (const Row& row : rows) {
    const std::int64_t kv_head = row.head / (H / Hk);
    std::vector<double> expected(Dv);
    double sum = 0;
    for (std::int64_t j = 0; j < Nk; ++j) {
      double score =
          -reference::read_element(slopes, row.head) * std::abs(static_cast<double>(row.q_index + Nk - Nq - j));
      for (std::int64_t c = 0; c < D; ++c) {
        score += 0.25 * at(q, row.batch, row.q_index, row.head, c) * at(k, row.batch, j, kv_head, c);
      }
      sum += std::exp(score);
      for (std::int64_t c = 0; c < Dv; ++c) {
        expected[static_cast<std::size_t>(c)] += std::exp(score) * at(v, row.batch, j, kv_head, c);
      }
    }
    for (std::size_t c = 0; c < Dv; ++c) CHECK(std::abs(row.out[c] - expected[c] / sum) < 1e-12);
    CHECK(std::abs(row.log_sum_exp - std::log(sum)) < 1e-12);
  }
}

TEST_CASE("the reference rejects tensors and rows that do not fit") {
  const auto message = [](auto change) {
    TwoKeys problem;
    std::vector<Row> rows(1);
    change(problem, rows);
    return message_of(ErrorCode::invalid_argument,
                      [&] { attention(problem.config, problem.q, problem.k, problem.v, {}, 1.0, rows, 1); });
  };
  CHECK(says(message([](TwoKeys& p, auto&) { p.config.head_dim = 16; }), "q is f32 [1, 1, 1, 8]"));
  CHECK(says(message([](TwoKeys& p, auto&) { p.k.view().strides[3] = 2; }), "must be contiguous"));
  CHECK(says(message([](TwoKeys& p, auto&) { p.config.bias = bias::alibi(); }), "bias input 'slopes' is missing"));
  CHECK(says(message([](auto&, std::vector<Row>& rows) { rows[0].q_index = 1; }), "row (batch 0, head 0, query 1)"));
}

TEST_CASE("errors are compared with those of rounding") {
  const std::vector<Row> exact{{.out = {3, 4}}, {.out = {0, 1.0 / 3}}};
  const std::vector<double> off{3, 4.5, 0, 1.0 / 3};
  const reference::ErrorReport report = reference::compare(exact, off, DType::f16);
  const double norm = std::sqrt(25 + 1.0 / 9);
  CHECK(report.error == doctest::Approx(0.5 / norm));
  const double rounding = std::abs(reference::round_to(DType::f16, 1.0 / 3) - 1.0 / 3);
  CHECK(report.rounding_error == doctest::Approx(rounding / norm));
  CHECK(report.ratio() == doctest::Approx(0.5 / rounding));

  const auto ratio_of = [](const std::vector<double>& right, const std::vector<double>& actual) {
    return reference::compare(std::vector<Row>{{.out = right}}, actual, DType::f16).ratio();
  };
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
  CHECK(ratio_of({0, 0}, {0, 0}) == 0);
  CHECK(ratio_of({1, 2}, {1, 2}) == 0);
  CHECK(ratio_of({0, 0}, {0, 1e-3}) == kInfinity);
  CHECK(ratio_of({1, 2}, {1, 2.5}) == kInfinity);
  CHECK(std::isnan(ratio_of({0, 0}, {0, kNaN})));
  CHECK(std::isnan(ratio_of({1.0 / 3, 2}, {kNaN, 2})));
  CHECK(ratio_of({0, 0}, {0, kInfinity}) == kInfinity);
  CHECK(reference::compare(std::vector<Row>{{.out = {0, 0}}}, std::vector<double>{0.5, 0}, DType::f16).error == 0.5);

  const std::vector<double> short_of{3, 4, 0};
  const std::vector<double> too_many{3, 4, 0, 0, 0};
  CHECK(says(message_of(ErrorCode::invalid_argument, [&] { (void)reference::compare(exact, short_of, DType::f16); }),
             "3 numbers to compare"));
  CHECK(says(message_of(ErrorCode::invalid_argument, [&] { (void)reference::compare(exact, too_many, DType::f16); }),
             "the exact rows have 4"));
}
