#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "codegen/derivative.hpp"
#include "codegen/inputs.hpp"
#include "codegen/rewrite.hpp"
#include "codegen/simplify.hpp"
#include "flashbias/error.hpp"
#include "tests/codegen/random_expr.hpp"
#include "tests/codegen/sampled_inputs.hpp"

namespace flashbias::codegen {
namespace {

using namespace bias;
using testing::SampledInputs;

/// Random biases over the sampled inputs that use every operator, of moderate values for the most part.
class RandomDifferentiable {
 public:
  explicit RandomDifferentiable(unsigned seed) : random_(seed) {}

  Expr number(int depth) {
    if (depth == 0) return leaf();
    const int next = depth - 1;
    switch (below(17)) {
      case 0:
        return number(next) + number(next);
      case 1:
        return number(next) - number(next);
      case 2:
      case 3:
        return number(next) * number(next);
      case 4:
        return number(next) / (1.5 + cos(number(next)));
      case 5:
        return number(next) / (below(2) == 0 ? leaf_that_varies() : -leaf_that_varies());
      case 6:
        return -number(next);
      case 7:
        return min(number(next), number(next));
      case 8:
        return max(number(next), number(next));
      case 9:
        return abs(number(next));
      case 10:
        return sqrt(0.25 + abs(number(next)));
      case 11:
        return exp(sin(number(next)));
      case 12:
        return log(1.0 + abs(number(next)));
      case 13:
        return below(2) == 0 ? sin(number(next)) : cos(number(next));
      case 14:
        return select(condition(next), number(next), number(next));
      case 15:
        return dot(vector(next), vector(next));
      default:
        return vector(next)[below(3)];
    }
  }

  Expr mask() { return select(condition(1), leaf(), -infinity()); }

  int below(int end) { return std::uniform_int_distribution(0, end - 1)(random_); }

 private:
  Expr vector(int depth) {
    if (depth == 0) return below(2) == 0 ? query_input("x", 3) : key_input("y", 3);
    const int next = depth - 1;
    switch (below(9)) {
      case 0:
        return vector(next) + vector(next);
      case 1:
        return vector(next) - vector(next);
      case 2:
        return number(next) * vector(next);
      case 3:
        return vector(next) * vector(next);
      case 4:
        return vector(next) / (1.5 + sin(vector(next)));
      case 5:
        return below(2) == 0 ? abs(vector(next)) : -vector(next);
      case 6:
        return below(2) == 0 ? min(vector(next), vector(next)) : max(vector(next), number(next));
      case 7:
        return below(2) == 0 ? exp(cos(vector(next))) : log(sqrt(2.0 + sin(vector(next))));
      default:
        return select(condition(next), vector(next), vector(next));
    }
  }

  Expr condition(int depth) {
    switch (below(4)) {
      case 0:
        return q_index() < kv_index();
      case 1:
        return key_input("mask", 1, DType::u8) == 0;
      case 2:
        return number(depth) <= number(depth) || !(number(depth) < 0.5);
      default:
        return number(depth) < number(depth);
    }
  }

  Expr leaf_that_varies() {
    const Expr index = below(2) == 0 ? kv_index() - q_index() + below(8) : min(kv_index(), below(8));
    const std::array<Expr, 9> leaves{query_input("w"),
                                     key_input("m"),
                                     head_scalar("a"),
                                     head_scalar("b"),
                                     pair_input("p"),
                                     query_input("x", 3)[below(3)],
                                     key_input("y", 3)[below(3)],
                                     table("t", SampledInputs::kEntries, index),
                                     table("t", SampledInputs::kEntries, q_index())};
    return leaves[static_cast<std::size_t>(below(static_cast<int>(leaves.size())))];
  }

  Expr leaf() {
    if (below(4) != 0) return leaf_that_varies();
    return below(2) == 0 ? Expr((below(17) - 8) / 4.0) : 0.25 * real(q_index() - kv_index());
  }

  std::mt19937 random_;
};

/// One number that a bias depends on: a component of an input, or an entry of the table t.
struct Variable {
  std::string input;
  Op kind = Op::head_scalar;
  int number = 0;  ///< of the component or entry
};

Expr clamped(const Expr& index) { return min(max(index, 0), SampledInputs::kEntries - 1); }

/// The bias where the variable is greater by a step. The step is part of the expression, so it is exact.
Expr shifted(const Expr& bias, const Variable& variable, double step) {
  return rewrite(bias, [&](const Expr& e) -> Expr {
    if (!is_input(e.op()) || e.node().name != variable.input) return e;
    if (e.op() == Op::table) return e + step * real(clamped(e.arg(0)) == variable.number);
    if (e.type().dims == 1) return e + step;
    const std::string unit = "unit_" + std::to_string(variable.number);
    return e + step * (e.op() == Op::query_input ? query_input("q_" + unit, 3) : key_input("k_" + unit, 3));
  });
}

/// Reals whose signs tell by which formulas a bias is computed: between changes of them it is smooth.
void add_kinks(const Expr& expr, std::vector<Expr>& kinks) {
  const auto add = [&](const Expr& real_value, int dims) {
    for (int c = 0; c < dims; ++c) kinks.push_back(component_of(real_value, c));
  };
  (void)rewrite(expr, [&](const Expr& e) {
    const bool of_reals = !e.node().args.empty() && e.arg(0).type().scalar == ScalarType::real;
    const bool compares = e.op() == Op::minimum || e.op() == Op::maximum || e.op() == Op::less ||
                          e.op() == Op::less_equal || e.op() == Op::equal;
    if (of_reals && compares) add(e.arg(0) - e.arg(1), e.type().dims);
    if (of_reals && e.op() == Op::absolute) add(e.arg(0), e.type().dims);
    return e;
  });
}

/// Derivatives of a bias at a place by central differences.
class FiniteDifferences {
 public:
  FiniteDifferences(const Expr& bias, const SampledInputs& inputs, std::int64_t i, std::int64_t j)
      : bias_(bias), inputs_(inputs), i_(i), j_(j) {
    add_kinks(bias, kinks_);
  }

  /// Nothing where a kink lies between the points, or where steps of two sizes do not agree, be it for rounding or for
  /// curvature.
  std::optional<double> operator()(const Variable& variable) const {
    constexpr double kStep = 0x1p-12;
    const auto is_smooth = [&](const Expr& kink) {
      const double here = at(kink);
      const auto sign = [](double value) { return value == 0 ? 0.0 : std::copysign(1.0, value); };
      return sign(at(shifted(kink, variable, kStep))) == sign(here) &&
             sign(at(shifted(kink, variable, -kStep))) == sign(here);
    };
    if (!std::ranges::all_of(kinks_, is_smooth)) return std::nullopt;
    const double coarse = difference(variable, kStep);
    const double fine = difference(variable, kStep / 2);
    if (!(std::abs(coarse - fine) <= kTolerance * (1 + std::abs(fine)))) return std::nullopt;
    return (4 * fine - coarse) / 3;  // Richardson: what is left is of fourth order in the step
  }

  static constexpr double kTolerance = 1e-5;

 private:
  double at(const Expr& expr) const { return inputs_.at(expr, i_, j_); }
  double difference(const Variable& variable, double step) const {
    return (at(shifted(bias_, variable, step)) - at(shifted(bias_, variable, -step))) / (2 * step);
  }

  const Expr& bias_;
  const SampledInputs& inputs_;
  std::int64_t i_, j_;
  std::vector<Expr> kinks_;
};

std::vector<Variable> variables_of(const Expr& bias) {
  std::vector<Variable> variables;
  for (const InputSpec& input : collect_inputs(bias, DType::f32)) {
    if (input.name == "mask") continue;
    for (int number = 0; number < input.dims; ++number)
      variables.push_back({.input = input.name, .kind = input.kind, .number = number});
  }
  return variables;
}

/// The derivative as an expression; of a table's entry as its docstring tells.
Expr symbolic(const Expr& bias, const Variable& variable) {
  if (variable.kind != Op::table) return derivative(bias, {.name = variable.input, .component = variable.number});
  Expr sum;
  for (const auto& [coefficient, index] : table_reads(bias, variable.input))
    sum = sum + select(clamped(index) == variable.number, coefficient, 0.0);
  return sum;
}

}  // namespace

TEST_CASE("derivatives of random biases agree with finite differences") {
  int compared = 0;
  int unclear = 0;
  int not_zero = 0;
  for (unsigned seed = 0; seed < 3000; ++seed) {
    RandomDifferentiable random(seed);
    const Expr bias = random.number(2 + static_cast<int>(seed % 3)) + (seed % 4 == 0 ? random.mask() : none());
    CAPTURE(to_string(bias));
    const SampledInputs inputs(seed, 1.5);
    const std::int64_t i = random.below(SampledInputs::kTokens);
    const std::int64_t j = random.below(SampledInputs::kTokens);
    if (!std::isfinite(inputs.at(bias, i, j))) continue;  // hidden by the mask
    const FiniteDifferences finite_difference(bias, inputs, i, j);
    for (const Variable& variable : variables_of(bias)) {
      const std::optional<double> expected = finite_difference(variable);
      const double actual = inputs.at(symbolic(bias, variable), i, j);
      if (!expected) {
        ++unclear;
        continue;
      }
      ++compared;
      not_zero += *expected != 0 ? 1 : 0;
      CAPTURE(variable.input);
      CAPTURE(variable.number);
      REQUIRE(actual == doctest::Approx(*expected).epsilon(2 * FiniteDifferences::kTolerance));
    }
  }
  CAPTURE(compared);
  CAPTURE(not_zero);
  CAPTURE(unclear);
  CHECK(compared > 10'000);
  CHECK(not_zero > 5'000);
  CHECK(unclear < compared / 20);
}

TEST_CASE("derivatives of any expression are real scalars that print and parse") {
  int derivatives = 0;
  for (unsigned seed = 0; seed < 2000; ++seed) {
    const Expr expr = testing::RandomExpr(seed).number(3);
    CAPTURE(to_string(expr));
    std::vector<InputSpec> inputs;
    try {
      inputs = collect_inputs(expr, DType::f16);
    } catch (const Error&) {
      continue;  // one name for two inputs
    }
    const auto check = [&](const Expr& result) {
      ++derivatives;
      CHECK(result.type() == ValueType{ScalarType::real, 1});
      CHECK(equal(parse_expr(to_string(result)), result));
    };
    for (const std::string& name : differentiable_inputs(expr)) {
      const InputSpec& input = *std::ranges::find(inputs, name, &InputSpec::name);
      if (input.kind != Op::table) {
        check(derivative(expr, {.name = name, .component = input.dims - 1}));
        continue;
      }
      for (const TableRead& read : table_reads(expr, name)) check(read.coefficient);
    }
  }
  CHECK(derivatives > 1'000);
}

}  // namespace flashbias::codegen
