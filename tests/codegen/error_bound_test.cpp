#include "codegen/error_bound.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>

#include "codegen/split_factors.hpp"
#include "flashbias/plan.hpp"
#include "flashbias/reference.hpp"
#include "tests/codegen/in_f32.hpp"
#include "tests/codegen/sampled_inputs.hpp"

namespace flashbias::codegen {
namespace {

using namespace bias;
using testing::InF32;
using testing::SampledInputs;

class RandomReal {
 public:
  RandomReal(unsigned seed, double extent) : random_(seed), extent_(extent) {}

  Expr operator()(int depth) {
    if (depth == 0) return leaf();
    const Expr a = (*this)(depth - 1);
    switch (below(12)) {
      case 0:
      case 1:
        return a + (*this)(depth - 1);
      case 2:
      case 3:
        return a - (*this)(depth - 1);
      case 4:
      case 5:
        return a * (*this)(depth - 1);
      case 6:
        return a / (1.0 + a * a);
      case 7:
        return sqrt(abs(a));
      case 8:
        return log(2.0 + abs(a));
      case 9:
        return exp(min(a, 2.0));
      case 10:
        switch (below(4)) {
          case 0:
            return sin(a);
          case 1:
            return cos(a);
          case 2:
            return atan2(a, (*this)(depth - 1));
          default:  // where nothing jumps
            return atan2(a, 0.5 + abs((*this)(depth - 1)));
        }
      default:
        return max(a, (*this)(depth - 1));
    }
  }

 private:
  Expr leaf() {
    switch (below(6)) {
      case 0:
        return query_input("x", 3).range(-extent_, extent_)[below(3)];
      case 1:
        return key_input("y", 3).range(-extent_, extent_)[below(3)];
      case 2:
        return head_scalar("a").range(-extent_, extent_);
      case 3:
        return real(q_index().range(0, 8) - kv_index().range(0, 8));
      default:
        return {std::uniform_real_distribution(-2.0, 2.0)(random_)};
    }
  }
  int below(int end) { return std::uniform_int_distribution(0, end - 1)(random_); }

  std::mt19937 random_;
  double extent_;
};

}  // namespace

TEST_CASE("what f32 makes of an expression is within its bounds, and not far below them") {
  int close = 0;
  int compared = 0;
  for (unsigned n = 0; n < 4000; ++n) {
    const double extent = n % 2 == 0 ? 1 : 30;
    const Expr expr = RandomReal(n, extent)(static_cast<int>(n % 5));
    CAPTURE(to_string(expr));
    const F32Value bound = f32_value(expr);
    const SampledInputs inputs(n, extent);
    double largest = 0;
    for (int i = 0; i < SampledInputs::kTokens; i += 2)
      for (int j = 0; j < SampledInputs::kTokens; j += 2) {
        const double exact = inputs.at(expr, i, j);
        const double computed = InF32(inputs, i, j)(expr);
        if (!std::isfinite(exact) || !std::isfinite(computed)) continue;
        ++compared;
        REQUIRE(exact >= bound.low - 1e-9 * std::abs(bound.low));
        REQUIRE(exact <= bound.high + 1e-9 * std::abs(bound.high));
        REQUIRE(std::abs(computed - exact) <= bound.error);
        largest = std::max(largest, std::abs(computed - exact));
      }
    close += largest > bound.error / 100 ? 1 : 0;
  }
  CHECK(compared > 50000);
  CHECK(close > 1000);
}

TEST_CASE("an input without a range has no bounds, unless nothing depends on it") {
  CHECK(std::isinf(f32_value(query_input("x") * 2.0).magnitude()));
  CHECK(f32_value(query_input("x") * 0.0).magnitude() == 0);
  CHECK(f32_value(cos(query_input("x"))).magnitude() == 1);
  CHECK(f32_value(real(kv_index())).high == kIndexRange);
}

TEST_CASE("what f32 cannot hold has no bound, and what it takes for 0 is off by its least number") {
  const Expr x = query_input("x").range(90, 100);
  CHECK(std::isinf(f32_value(exp(x)).error));
  CHECK(std::isinf(f32_value(x * 1e20 * 1e20).error));
  CHECK(std::isinf(f32_value(sqrt(exp(x))).magnitude()));
  CHECK(std::isinf(f32_value(1.0 / exp(-x)).error));
  CHECK(std::isfinite(f32_value(exp(x * 0.5)).error));
  constexpr double kLeast = std::numeric_limits<float>::min();
  CHECK(f32_value(exp(-x)).error >= kLeast);
  CHECK(f32_value(x * 1e-30 * 1e-30).error >= kLeast);
  CHECK(f32_value(1e-40 / x).error >= kLeast);
}

TEST_CASE("sums inside exponentials are not taken apart where that leaves f32") {
  const auto terms = [](const Expr& bias) { return plan({.head_dim = 64, .bias = bias, .arch = Arch{90}}).terms; };
  const Expr x = query_input("x");
  const Expr y = key_input("y");
  for (const Expr& bias : {exp(x.range(90, 100) + y.range(-110, -100)), exp(x.range(80, 88) + y.range(-110, -95)),
                           exp(x.range(90, 100) + y.range(-110, -100)) + 2.0 * x * y}) {
    CAPTURE(to_string(bias));
    CHECK(terms(bias).at(0).lowering == Lowering::registers);
  }
  CHECK(terms(exp(x.range(-1, 1) + y.range(-1, 1))).at(0).lowering == Lowering::factors);
}

TEST_CASE("split factors lose at most what their bound says") {
  const Expr x = query_input("x", 3);
  const Expr y = key_input("y", 3);
  const std::vector<Expr> biases = {-dot(x - y, x - y), -query_input("w") * dot(x - y, x - y),
                                    cos(x[0] - y[0]) * head_scalar("a"), x[0] * y[1] + x[1] * y[0] * y[0]};
  for (const double extent : {0.01, 1.0, 4.0})
    for (const DType output : {DType::f16, DType::bf16})
      for (const Expr& typed : biases) {
        Expr expr = typed;
        for (const char* name : {"x", "y", "w", "a"})
          if (to_string(expr).find(std::string("(") + name) != std::string::npos)
            expr = expr.range(name, -extent, extent);
        CAPTURE(to_string(expr));
        const auto separation = separate(expr);
        REQUIRE(separation);
        const auto split = split_within(*separation, score_error_budget(output));
        if (!split) continue;
        const SampledInputs inputs(7, extent);
        for (int i = 0; i < SampledInputs::kTokens; ++i)
          for (int j = 0; j < SampledInputs::kTokens; ++j) {
            double sum = inputs.at(separation->query_only, i, j) + inputs.at(separation->key_only, i, j);
            for (const auto& [query, key] : split->factors) {
              double f = reference::round_to(DType::f32, inputs.at(query, i, j));
              const double g = reference::round_to(DType::f32, inputs.at(key, i, j));
              for (int a = 0; a < split->parts; ++a) {
                const double f_part = reference::round_to(split->part, f);
                f -= f_part;
                double g_rest = g;
                for (int b = 0; a + b < split->parts; ++b) {
                  const double g_part = reference::round_to(split->part, g_rest);
                  g_rest -= g_part;
                  sum += f_part * g_part;
                }
              }
            }
            REQUIRE(std::abs(sum - inputs.at(expr, i, j)) <= split->error);
          }
        CHECK(split->error <= score_error_budget(output));
      }
}

TEST_CASE("parts fill the tensor-core step that they need") {
  const auto split_of = [](const Expr& expr) { return split_within(*separate(expr), 0x1p-13); };
  const Expr x = query_input("x", 5);
  const Expr y = key_input("y", 5);
  const auto product = [&](int rank) {
    Expr sum = x[0] * y[0];
    for (int c = 1; c < rank; ++c) sum = sum + x[c] * y[c];
    return sum.range("x", -1, 1).range("y", -1, 1);
  };
  CHECK(split_of(product(2))->parts == 3);  // 12 columns
  CHECK(split_of(product(5))->parts == 2);  // 15
  CHECK(split_of(product(5))->steps() == 1);
  CHECK_FALSE(split_of(x[0] * y[0]).has_value());
  CHECK_FALSE(split_of((x[0] * y[0]).range("x", -1e4, 1e4).range("y", -1, 1)).has_value());
}

}  // namespace flashbias::codegen
