#include "flashbias/decompose.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <random>

#include "tests/errors.hpp"
#include "tests/filled_tensor.hpp"

using namespace flashbias;
using testing::FilledTensor;
using testing::message_of;
using testing::says;

namespace {

std::vector<double> normal_numbers(std::int64_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  std::vector<double> numbers(static_cast<std::size_t>(count));
  for (double& number : numbers) number = normal(random);
  return numbers;
}

BiasMatrices random_matrices(std::int64_t heads, std::int64_t q_length, std::int64_t kv_length, unsigned seed = 1) {
  return {.heads = heads,
          .q_length = q_length,
          .kv_length = kv_length,
          .values = normal_numbers(heads * q_length * kv_length, seed)};
}

/// Sums of `rank` products of normal numbers; each head weighted differently.
BiasMatrices matrices_of_rank(int rank, std::int64_t heads, std::int64_t q_length, std::int64_t kv_length) {
  BiasMatrices matrices{.heads = heads, .q_length = q_length, .kv_length = kv_length};
  const std::vector<double> q = normal_numbers(heads * q_length * rank, 2);
  const std::vector<double> k = normal_numbers(heads * kv_length * rank, 3);
  for (std::int64_t h = 0; h < heads; ++h)
    for (std::int64_t i = 0; i < q_length; ++i)
      for (std::int64_t j = 0; j < kv_length; ++j) {
        double sum = 0;
        for (int r = 0; r < rank; ++r)
          sum += q[static_cast<std::size_t>((h * q_length + i) * rank + r)] *
                 k[static_cast<std::size_t>((h * kv_length + j) * rank + r)];
        matrices.values.push_back(sum * static_cast<double>(h + 1));
      }
  return matrices;
}

/// A diagonal matrix, so that its singular values are known.
BiasMatrices diagonal(const std::vector<double>& values) {
  const auto size = static_cast<std::int64_t>(values.size());
  BiasMatrices matrices{.q_length = size, .kv_length = size};
  matrices.values.resize(values.size() * values.size());
  for (std::size_t i = 0; i < values.size(); ++i) matrices.values[i * (values.size() + 1)] = values[i];
  return matrices;
}

FactorError measured(const BiasMatrices& exact, const Decomposition& decomposition, std::int64_t head) {
  const BiasMatrices product = product_of_factors(decomposition);
  const auto size = static_cast<std::size_t>(exact.q_length * exact.kv_length);
  double square = 0;
  double error_square = 0;
  double most = 0;
  for (std::size_t i = static_cast<std::size_t>(head) * size; i < (static_cast<std::size_t>(head) + 1) * size; ++i) {
    const double error = exact.values[i] - product.values[i];
    square += exact.values[i] * exact.values[i];
    error_square += error * error;
    most = std::max(most, std::abs(error));
  }
  return {.relative_frobenius = std::sqrt(error_square / square), .max_abs = most};
}

std::string rejection(const BiasMatrices& matrices, const RankChoice& choice, DType dtype = DType::f16) {
  return message_of(ErrorCode::invalid_argument, [&] { (void)decompose(matrices, choice, dtype); });
}

}  // namespace

TEST_CASE("decompose: the error is the tail of the spectrum") {
  const BiasMatrices matrices = random_matrices(3, 24, 17);
  for (const int rank : {1, 5, 16, 17}) {
    const Decomposition found = decompose(matrices, Rank{rank}, DType::f32);
    REQUIRE(found.rank == rank);
    REQUIRE(found.by_head.size() == 3);
    for (const HeadDecomposition& head : found.by_head) {
      REQUIRE(head.singular_values.size() == 17);
      double kept = 0;
      double all = 0;
      for (std::size_t r = 0; r < 17; ++r) {
        if (r > 0) CHECK(head.singular_values[r] <= head.singular_values[r - 1]);
        const double square = head.singular_values[r] * head.singular_values[r];
        all += square;
        if (r < static_cast<std::size_t>(rank)) kept += square;
      }
      CHECK(head.energy == doctest::Approx(kept / all));
      CHECK(std::abs(head.unrounded.relative_frobenius - std::sqrt(std::max(0.0, 1 - kept / all))) < 1e-7);
    }
  }
}

TEST_CASE("decompose: the errors told are those of the factors as saved") {
  const BiasMatrices matrices = random_matrices(2, 20, 30);
  for (const DType dtype : {DType::f16, DType::bf16, DType::f32}) {
    const Decomposition found = decompose(matrices, Rank{20}, dtype);
    for (std::int64_t h = 0; h < 2; ++h) {
      const FactorError error = measured(matrices, found, h);
      const FactorError& told = found.by_head[static_cast<std::size_t>(h)].rounded;
      CHECK(told.relative_frobenius == doctest::Approx(error.relative_frobenius));
      CHECK(told.max_abs == doctest::Approx(error.max_abs));
      CHECK(told.relative_frobenius > found.by_head[static_cast<std::size_t>(h)].unrounded.relative_frobenius);
      CHECK(told.relative_frobenius < (dtype == DType::f32 ? 1e-6 : dtype == DType::f16 ? 1e-3 : 1e-2));
    }
  }
}

TEST_CASE("decompose: factors are laid out as inputs, both sides scaled alike") {
  const Decomposition found = decompose(random_matrices(2, 9, 12), Rank{4}, DType::f32);
  CHECK(to_string(found.q_factors()) == "f32 [1, 9, 2, 4] strides [72, 8, 4, 1] on the host");
  CHECK(to_string(found.k_factors()) == "f32 [1, 12, 2, 4] strides [96, 8, 4, 1] on the host");
  for (std::int64_t h = 0; h < 2; ++h)
    for (std::int64_t r = 0; r < 4; ++r) {
      double q_square = 0;
      double k_square = 0;
      for (std::int64_t i = 0; i < 9; ++i)
        q_square += std::pow(reference::read_element(found.q_factors(), i * 8 + h * 4 + r), 2);
      for (std::int64_t j = 0; j < 12; ++j)
        k_square += std::pow(reference::read_element(found.k_factors(), j * 8 + h * 4 + r), 2);
      const double value = found.by_head[static_cast<std::size_t>(h)].singular_values[static_cast<std::size_t>(r)];
      CHECK(q_square == doctest::Approx(value));
      CHECK(k_square == doctest::Approx(value));
    }
}

TEST_CASE("decompose: matrices of low rank are recovered at their rank") {
  for (const int rank : {1, 3, 11}) {
    const BiasMatrices matrices = matrices_of_rank(rank, 2, 40, 33);
    const Decomposition found = decompose(matrices, Energy{1}, DType::f32);
    CHECK(found.rank == rank);
    CHECK(found.energy() == 1);
    CHECK(found.unrounded().relative_frobenius < 1e-13);
    CHECK(found.rounded().relative_frobenius < 1e-6);
  }
}

TEST_CASE("decompose: energy takes the fewest columns that serve every head") {
  // Squares 64, 16, 4, 1: the parts kept are 0.753, 0.941, 0.988 and 1.
  const BiasMatrices known = diagonal({1, 4, 8, 2});
  CHECK(decompose(known, Energy{0.5}).rank == 1);
  CHECK(decompose(known, Energy{0.94}).rank == 2);
  CHECK(decompose(known, Energy{0.942}).rank == 3);
  CHECK(decompose(known, Energy{0.99}).rank == 4);
  CHECK(decompose(known, Energy{0.94}).energy() == doctest::Approx(80.0 / 85));

  BiasMatrices matrices = random_matrices(1, 30, 30);
  const BiasMatrices low = matrices_of_rank(2, 1, 30, 30);
  matrices.heads = 2;
  matrices.values.insert(matrices.values.begin(), low.values.begin(), low.values.end());
  for (const double fraction : {0.5, 0.9, 0.995, 0.999999}) {
    const Decomposition found = decompose(matrices, Energy{fraction});
    CHECK(found.energy() >= fraction);
    if (found.rank > 1) CHECK(decompose(matrices, Rank{found.rank - 1}).energy() < fraction);
  }
}

TEST_CASE("decompose: a tolerance takes the fewest columns with which no saved score is further off") {
  const BiasMatrices matrices = random_matrices(2, 25, 25);
  for (const DType dtype : {DType::f16, DType::bf16}) {
    for (const double tolerance : {2.0, 0.5, 0.1}) {
      const Decomposition found = decompose(matrices, Tolerance{tolerance}, dtype);
      CHECK(found.rounded().max_abs <= tolerance);
      CHECK(std::max(measured(matrices, found, 0).max_abs, measured(matrices, found, 1).max_abs) <= tolerance);
      REQUIRE(found.rank > 1);
      CHECK(decompose(matrices, Rank{found.rank - 1}, dtype).rounded().max_abs > tolerance);
    }
  }
}

TEST_CASE("decompose: a bias of zeros has rank 1 and no error") {
  const BiasMatrices zeros{.q_length = 3, .kv_length = 5, .values = std::vector<double>(15)};
  for (const RankChoice& choice : {RankChoice(Energy{0.995}), RankChoice(Tolerance{1e-9}), RankChoice(Energy{1})}) {
    const Decomposition found = decompose(zeros, choice);
    CHECK(found.rank == 1);
    CHECK(found.energy() == 1);
    CHECK(found.rounded().relative_frobenius == 0);
    CHECK(found.rounded().max_abs == 0);
  }
}

TEST_CASE("decompose: without row means the error is no larger at any rank, and the softmax is the same") {
  BiasMatrices matrices = matrices_of_rank(4, 2, 20, 24);
  for (std::size_t i = 0; i < matrices.values.size(); ++i)
    matrices.values[i] += 3 * std::sin(static_cast<double>(i / 24));
  const BiasMatrices centred = without_row_means(matrices);
  for (std::size_t row = 0; row < matrices.values.size(); row += 24) {
    double sum = 0;
    for (std::size_t j = row; j < row + 24; ++j) {
      sum += centred.values[j];
      CHECK(matrices.values[j] - centred.values[j] == doctest::Approx(matrices.values[row] - centred.values[row]));
    }
    CHECK(std::abs(sum) < 1e-12);
  }
  CHECK(decompose(matrices, Energy{1}).rank == 5);
  CHECK(decompose(centred, Energy{1}).rank == 4);
  const auto absolute = [](const BiasMatrices& of, int rank) {
    const Decomposition found = decompose(of, Rank{rank});
    double norm = 0;
    for (const double value : found.by_head[0].singular_values) norm += value * value;
    return found.by_head[0].unrounded.relative_frobenius * std::sqrt(norm);
  };
  for (const int rank : {1, 2, 3, 4}) CHECK(absolute(centred, rank) <= absolute(matrices, rank) + 1e-12);

  const BiasMatrices query_only{.q_length = 2, .kv_length = 3, .values = {0.1, 0.1, 0.1, 7.7, 7.7, 7.7}};
  CHECK(without_row_means(query_only).values == std::vector<double>(6));
}

TEST_CASE("decompose: bias matrices are read from tensors of any strides") {
  const FilledTensor tensor(DType::bf16, {2, 2, 3}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
  const BiasMatrices three = bias_matrices(tensor);
  CHECK(three.heads == 2);
  CHECK(three.values == std::vector<double>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
  TensorView transposed = tensor;
  std::swap(transposed.shape[1], transposed.shape[2]);
  std::swap(transposed.strides[1], transposed.strides[2]);
  CHECK(bias_matrices(transposed).q_length == 3);
  CHECK(bias_matrices(transposed).values == std::vector<double>{0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11});
  const FilledTensor matrix(DType::f32, {1, 2}, {5, 6});
  CHECK(bias_matrices(matrix).heads == 1);

  const auto refused = [](const TensorView& view) {
    return message_of(ErrorCode::invalid_argument, [&] { (void)bias_matrices(view); });
  };
  const FilledTensor vector(DType::f32, {4}, {1, 2, 3, 4});
  CHECK(says(refused(vector), "it must have 2 dimensions, [Nq, Nk], or 3, [heads, Nq, Nk]"));
  CHECK(says(refused(TensorView::contiguous(nullptr, DType::f32, {0, 4}, -1)), "0 queries and 4 keys has nothing"));
  CHECK(says(refused(TensorView::contiguous(nullptr, DType::f32, {9, 1 << 12, 1 << 12}, -1)),
             "more than the 134217728 numbers"));
}

TEST_CASE("decompose: an expression is tabulated head by head") {
  std::vector<double> numbers(2 * 15);
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<double>(i);
  const FilledTensor table(DType::f32, {2, 15}, numbers);
  const reference::Inputs inputs{{"relative_bias", table}};
  const Expr window = bias::window_relative_position(2, 3);
  const BiasMatrices matrices = tabulate(window, inputs, 6, 6);
  CHECK(matrices.heads == 2);
  for (std::int64_t h = 0; h < 2; ++h)
    for (std::int64_t i = 0; i < 6; ++i)
      for (std::int64_t j = 0; j < 6; ++j)
        CHECK(matrices.values[static_cast<std::size_t>((h * 6 + i) * 6 + j)] ==
              reference::evaluate(window, {.head = h, .q_index = i, .kv_index = j, .q_length = 6, .kv_length = 6},
                                  inputs));

  const BiasMatrices heads = tabulate(bias::head() * 10 + bias::q_index(), {}, 2, 1, 3);
  CHECK(heads.values == std::vector<double>{0, 1, 10, 11, 20, 21});

  const auto refused = [](const Expr& expr, const reference::Inputs& given) {
    return message_of(ErrorCode::invalid_argument, [&] { (void)tabulate(expr, given, 4, 4); });
  };
  CHECK(says(refused(window, {}), "bias input 'relative_bias' is missing"));
  CHECK(says(refused(bias::batch() + 1, {}), "`batch() + 1` (integer) cannot be tabulated"));
  CHECK(says(refused(bias::q_index() < 1, {}), "(boolean) cannot be tabulated"));
  const FilledTensor batched(DType::f32, {2, 1}, {1, 2});
  CHECK(says(refused(bias::head_scalar("slopes"), {{"slopes", batched}}), "its batch dimension must be 1"));
}

TEST_CASE("decompose: the approximation that its factors make is theirs exactly") {
  const BiasMatrices matrices = random_matrices(2, 6, 7);
  const Decomposition found = decompose(matrices, Rank{3});
  const auto names = bias::factor_names(bias::dense());
  const BiasMatrices approximated =
      tabulate(bias::approximate(bias::dense(), 3), {{names.q, found.q_factors()}, {names.k, found.k_factors()}}, 6, 7);
  CHECK(approximated.values == product_of_factors(found).values);
}

TEST_CASE("decompose: a rank beyond what a bias takes is served all the same") {
  const BiasMatrices matrices = random_matrices(1, 140, 150);
  const Decomposition found = decompose(matrices, Rank{130}, DType::f32);
  CHECK(found.rounded().max_abs == doctest::Approx(measured(matrices, found, 0).max_abs));
}

TEST_CASE("decompose: bad input is named with what is accepted") {
  const BiasMatrices good = random_matrices(1, 4, 3);
  CHECK(says(rejection(good, Rank{4}), "rank 4: the bias has min(Nq, Nk) = 3, so 1 to 3 are accepted"));
  CHECK(says(rejection(good, Rank{0}), "rank 0"));
  for (const double fraction : {0.0, -0.5, 1.001, std::numeric_limits<double>::quiet_NaN()})
    CHECK(says(rejection(good, Energy{fraction}), "above 0 and at most 1"));
  for (const double max_abs :
       {0.0, -1.0, std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()})
    CHECK(says(rejection(good, Tolerance{max_abs}), "the largest error of a score, above 0"));
  CHECK(says(rejection(good, Tolerance{1e-9}), "with factors in f16 no rank comes closer than "));
  CHECK(says(rejection(good, Rank{1}, DType::i32), "dtype i32: factors are f16, bf16 or f32"));
  CHECK(says(rejection({}, Rank{1}), "0 numbers for 1 heads x 0 queries x 0 keys"));
  CHECK(says(rejection({.heads = std::int64_t{1} << 40, .q_length = std::int64_t{1} << 40, .kv_length = 9}, Rank{1}),
             "0 numbers for 1099511627776 heads"));
  CHECK(says(message_of(ErrorCode::invalid_argument,
                        [] {
                          (void)without_row_means({.values = {1, 2}});
                        }),
             "2 numbers for 1 heads x 0 queries"));
  CHECK(says(rejection({.q_length = 2, .kv_length = 2, .values = {1, 2, 3}}, Rank{1}), "3 numbers for 1 heads x 2"));
  CHECK(says(rejection({.q_length = 1, .kv_length = 1, .values = {1e12}}, Rank{1}),
             "a factor of the bias is 1e+06, beyond f16"));
  CHECK_NOTHROW((void)decompose({.q_length = 1, .kv_length = 1, .values = {1e12}}, Rank{1}, DType::bf16));

  BiasMatrices masked = random_matrices(2, 4, 3);
  masked.values[12 + 2 * 3 + 1] = -std::numeric_limits<double>::infinity();
  CHECK(says(rejection(masked, Rank{1}), "the bias is -inf at head 1, query 2, key 1; only finite numbers"));
  CHECK(says(message_of(ErrorCode::invalid_argument, [&] { (void)without_row_means(masked); }), "-inf at head 1"));
  masked.values[3] = std::numeric_limits<double>::quiet_NaN();
  CHECK(says(rejection(masked, Rank{1}), "the bias is nan at head 0, query 1, key 0"));
}
