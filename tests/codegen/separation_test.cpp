#include "codegen/separation.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "codegen/rewrite.hpp"
#include "codegen/sum_of_products.hpp"
#include "flashbias/reference.hpp"

namespace flashbias::codegen {
namespace {

using namespace bias;

Expr component(int index) { return query_input("x", 4)[index]; }
Expr other(int index) { return key_input("y", 4)[index]; }

int rank(const Expr& expr) {
  CAPTURE(to_string(expr));
  const auto separation = separate(expr);
  REQUIRE(separation.has_value());
  return separation->rank();
}

/// Numbers for x, y and the head scalars a and b, and their places in the reference evaluator.
class SampledNumbers {
 public:
  static constexpr std::int64_t kTokens = 12;

  explicit SampledNumbers(unsigned seed) {
    std::mt19937 random(seed);
    std::uniform_real_distribution<float> uniform(-1.5F, 1.5F);
    for (auto* numbers : {&x_, &y_, &a_, &b_})
      for (float& number : *numbers) number = uniform(random);
    inputs_ = {{"x", tokens(x_)}, {"y", tokens(y_)}, {"a", scalar(a_)}, {"b", scalar(b_)}};
  }

  [[nodiscard]] double at(const Expr& expr, std::int64_t i, std::int64_t j) const {
    return reference::evaluate(expr, {.q_index = i, .kv_index = j, .q_length = kTokens, .kv_length = kTokens}, inputs_);
  }

 private:
  using Numbers = std::vector<float>;

  static TensorView tokens(Numbers& numbers) {
    return TensorView::contiguous(numbers.data(), DType::f32, {1, kTokens, 1, 4});
  }
  static TensorView scalar(Numbers& numbers) { return TensorView::contiguous(numbers.data(), DType::f32, {1}); }

  Numbers x_ = Numbers(kTokens * 4);
  Numbers y_ = Numbers(kTokens * 4);
  Numbers a_ = Numbers(1);
  Numbers b_ = Numbers(1);
  reference::Inputs inputs_;
};

Expr sum_of(const Separation& separation) {
  Expr sum = separation.query_only + separation.key_only;
  for (const auto& [query, key] : separation.factors) sum = sum + query * key;
  return sum;
}

/// Rank of the values once what depends on the query or the key alone is taken out, as differences to row and column 0.
int numeric_rank(const Expr& expr, const SampledNumbers& sample) {
  constexpr auto kSize = static_cast<std::size_t>(SampledNumbers::kTokens) - 1;
  std::vector<std::vector<double>> matrix(kSize + 1, std::vector<double>(kSize + 1));
  double largest = 0;  // to which differences are exact
  for (std::size_t i = 0; i <= kSize; ++i)
    for (std::size_t j = 0; j <= kSize; ++j) {
      matrix[i][j] = sample.at(expr, static_cast<std::int64_t>(i), static_cast<std::int64_t>(j));
      largest = std::max(largest, std::abs(matrix[i][j]));
    }
  for (std::size_t i = kSize; i > 0; --i)
    for (std::size_t j = kSize; j > 0; --j) matrix[i][j] += matrix[0][0] - matrix[i][0] - matrix[0][j];
  matrix.erase(matrix.begin());
  for (auto& row : matrix) row.erase(row.begin());
  int rank = 0;
  for (std::size_t step = 0; step < kSize; ++step) {  // full pivoting
    std::size_t row = step;
    std::size_t column = step;
    for (std::size_t i = step; i < kSize; ++i)
      for (std::size_t j = step; j < kSize; ++j)
        if (std::abs(matrix[i][j]) > std::abs(matrix[row][column])) {
          row = i;
          column = j;
        }
    if (std::abs(matrix[row][column]) <= 1e-11 * largest) break;
    ++rank;
    std::swap(matrix[step], matrix[row]);
    for (auto& r : matrix) std::swap(r[step], r[column]);
    for (std::size_t i = step + 1; i < kSize; ++i) {
      const double factor = matrix[i][step] / matrix[step][step];
      for (std::size_t j = step; j < kSize; ++j) matrix[i][j] -= factor * matrix[step][j];
    }
  }
  return rank;
}

/// A polynomial of the inputs with few distinct atoms, so that products often have something in common.
class RandomPolynomial {
 public:
  explicit RandomPolynomial(unsigned seed) : random_(seed) {}

  Expr operator()(int depth) {
    if (depth == 0) return leaf();
    switch (below(4)) {
      case 0:
        return (*this)(depth - 1) + (*this)(depth - 1);
      case 1:
        return (*this)(depth - 1) - (*this)(depth - 1);
      case 2:
        return (*this)(depth - 1) * (*this)(depth - 1);
      default:
        return -(*this)(depth - 1) / 4.0;
    }
  }

 private:
  Expr leaf() {
    switch (below(9)) {
      case 0:
      case 1:
        return component(below(2));
      case 2:
      case 3:
        return other(below(2));
      case 4:
        return head_scalar("a");
      case 5:
      case 6:
        return {below(7) - 3};
      default:
        return {0.5};
    }
  }
  int below(int end) { return std::uniform_int_distribution(0, end - 1)(random_); }

  std::mt19937 random_;
};

}  // namespace

TEST_CASE("known biases have the rank that is known of them") {
  CHECK(rank(squared_distance(3, DistanceWeight::none)) == 3);
  CHECK(rank(squared_distance(3, DistanceWeight::per_head)) == 3);
  CHECK(rank(squared_distance(3, DistanceWeight::per_query)) == 4);
  CHECK(rank(squared_distance(3, DistanceWeight::per_key)) == 4);
  CHECK(rank(low_rank(96)) == 96);
  CHECK(rank(-head_scalar("a") * (q_position() - kv_index())) == 0);
  CHECK(rank(none()) == 0);
  CHECK(rank(q_index() * kv_index() * 0.001) == 1);
}

TEST_CASE("the rank is that of the coefficients, however the expression is written") {
  const Expr x = component(0);
  const Expr u = component(1);
  const Expr y = other(0);
  const Expr v = other(1);
  CHECK(rank((x + u) * (y + v)) == 1);
  CHECK(rank(x * y + u * y + x * v + u * v) == 1);
  CHECK(rank(x * y + u * v) == 2);
  CHECK(rank(x * y + u * y * 2.0 - (x + 2 * u) * y) == 0);
  CHECK(rank(0.1 * x * y + 0.3 * x * v + 0.3 * u * y + 0.9 * u * v) == 2);  // 0.3 * 0.3 is not 0.1 * 0.9 in binary
  CHECK(rank(x * y / 8 + x * v / 4 + u * y / 2 + u * v) == 1);
  CHECK(rank((x + 1) * (y + 1)) == 1);
  CHECK(rank(x * x * y + x * y * y + x * y) == 2);
  CHECK(rank(dot(query_input("x", 4) - key_input("y", 4), query_input("x", 4) - key_input("y", 4))) == 4);
}

TEST_CASE("what varies with the head alone goes to the side where it joins terms") {
  const Expr a = head_scalar("a");
  const Expr b = head_scalar("b");
  CHECK(rank((a + b) * component(0) * other(0)) == 1);
  CHECK(rank(component(0) * (a * other(0) + b * other(1))) == 1);
  CHECK(rank((a * component(0) + b * component(1)) * other(0)) == 1);
  CHECK(rank((component(0) + a * component(1)) * (other(0) + a * other(1))) == 2);
}

TEST_CASE("functions of a sum are split by their addition formulas") {
  const Expr x = component(0);
  const Expr y = other(0);
  CHECK(rank(exp(x - y)) == 1);
  CHECK(rank(exp(x) * exp(-y)) == 1);
  CHECK(rank(cos(x - y)) == 2);
  CHECK(rank(cos(2 * (x - y)) - 2 * cos(x - y)) == 4);
  CHECK(rank(sin(0.5 * (q_index() - kv_index()))) == 2);
  CHECK(rank(exp(sqrt(x) + log(y)) / (1 + y)) == 1);
}

TEST_CASE("what mixes query and key inside an atom is no finite sum of products") {
  const Expr x = component(0);
  const Expr y = other(0);
  for (const Expr& expr : {abs(x - y), sqrt(x + y), exp(x * y), 1 / (x + y), log(1 + (x - y) * (x - y)), max(x, y),
                           select(x < y, x, y), dense(), x * y + dense(), relative_position(4)})
    CHECK_MESSAGE(!separate(expr).has_value(), to_string(expr));
}

TEST_CASE("a sum too long to write out is left alone, in bounded time") {
  Expr power = component(0) + other(0) + component(1) + other(1) + component(2) + other(2);
  for (int i = 0; i < 5; ++i) power = power * power;
  CHECK_FALSE(separate(power).has_value());
}

TEST_CASE("a long polynomial is separated, and refused only where its parts are longer than expressions may be") {
  Expr sum = component(0) * other(0);
  for (int i = 0; i < 5; ++i) sum = sum * (1.0 + component(i % 4)) * (1.0 + other(i % 4));
  CHECK(rank(sum) == 1);
  Expr high = component(0) * other(0);
  for (int i = 0; i < 9; ++i) high = high * high;
  CHECK_FALSE(separate(high).has_value());
}

TEST_CASE("two writings of one polynomial expand to the same expression") {
  const Expr x = component(0);
  const Expr y = other(0);
  const auto canonical = [](const Expr& expr) {
    const auto sum = expand(expr);
    REQUIRE(sum.has_value());
    return to_string(to_expr(*sum));
  };
  CHECK(canonical((x - y) * (x - y)) == canonical(x * x - 2 * y * x + y * y));
  CHECK(canonical(x / 3 * 3) == canonical(x));
  CHECK(canonical(sqrt(x + y)) == canonical(sqrt(y + x)));
  CHECK(canonical(x - x) == canonical(none()));
  CHECK(canonical(-infinity() + x) == canonical(x - infinity()));
}

TEST_CASE("random polynomials equal their separated form, whose rank is that of their values") {
  RandomPolynomial random(3);
  int separated = 0;
  int compared = 0;
  for (unsigned n = 0; n < 400; ++n) {
    const Expr expr = random(5);
    CAPTURE(to_string(expr));
    const auto separation = separate(expr);
    if (!separation) continue;
    ++separated;
    const SampledNumbers sample(n);
    const Expr sum = sum_of(*separation);
    double largest = 1;
    for (int i = 0; i < 3; ++i)
      for (int j = 0; j < 3; ++j) {
        const double exact = sample.at(expr, i, j);
        largest = std::max(largest, std::abs(exact));
        REQUIRE(sample.at(sum, i, j) == doctest::Approx(exact).epsilon(1e-6).scale(largest));
      }
    for (const auto& [query, key] : separation->factors) {
      REQUIRE(dependence(query).query_only());
      REQUIRE(dependence(key).key_only());
    }
    if (separation->rank() > 8) continue;  // a sample of 11 x 11 shows it no longer
    const bool reads_head = any_node(expr, [](const ExprNode& node) { return node.op == Op::head_scalar; });
    const int rank_of_values = numeric_rank(expr, sample);
    REQUIRE(rank_of_values <= separation->rank());
    if (!reads_head) REQUIRE(rank_of_values == separation->rank());
    compared += reads_head ? 0 : 1;
  }
  CHECK(separated > 380);
  CHECK(compared > 40);
}

TEST_CASE("an exponential of a key value less what is the same for all keys stays one number") {
  for (const Expr& exponential : {exp(key_input("x") - head_scalar("m")), exp(key_input("x").range(90, 100) - 100.0)}) {
    const auto separation = separate(query_input("w") * exponential);
    REQUIRE(separation);
    REQUIRE(separation->rank() == 1);
    CAPTURE(to_string(separation->factors[0].key));
    CHECK_FALSE(any_node(separation->factors[0].query, [](const ExprNode& node) { return node.op == Op::exp; }));
    CHECK(any_node(separation->factors[0].key,
                   [](const ExprNode& node) { return node.op == Op::subtract || node.op == Op::add; }));
  }
  CHECK(separate(exp(key_input("x") - query_input("y") + head_scalar("m")))->rank() == 1);
}

}  // namespace flashbias::codegen
