#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "codegen/bias_program.hpp"
#include "codegen/error_bound.hpp"
#include "codegen/inputs.hpp"
#include "codegen/rewrite.hpp"
#include "codegen/simplify.hpp"
#include "codegen/split_factors.hpp"
#include "codegen/term_lowering.hpp"
#include "flashbias/cache.hpp"
#include "flashbias/plan.hpp"
#include "flashbias/source.hpp"
#include "tests/codegen/in_f32.hpp"
#include "tests/codegen/random_bias.hpp"
#include "tests/codegen/sampled_inputs.hpp"

namespace flashbias::codegen {
namespace {

using namespace bias;
using testing::RandomBias;
using testing::SampledInputs;

constexpr std::int64_t kOrigin = 2;  ///< where the block of the sample counts positions from

/// What the kernel adds up, as one expression.
Expr sum_of(const BiasProgram& program) {
  Expr sum = program.row_offset + program.kv_slope * (kv_index() - kOrigin) + program.key_column + program.diagonal +
             program.score;
  for (const FactorTerm& term : program.factors)
    sum = sum + dot(query_input(term.q_input, term.rank), key_input(term.k_input, term.rank));
  if (program.split_factors)
    for (const auto& [query, key] : program.split_factors->factors) sum = sum + query * key;
  return rewrite(sum,
                 [](const Expr& e) { return e.op() == Op::named && e.node().name == "kv_origin" ? Expr(kOrigin) : e; });
}

/// Sums and products in another order round in another way, but not by more than a few times.
constexpr double kRegrouped = 16;

/// An expression at one score, where what it reads is known: f32_value then bounds how it is rounded there.
class AtPoint {
 public:
  AtPoint(const SampledInputs& inputs, std::int64_t i, std::int64_t j) : inputs_(inputs), i_(i), j_(j) {}

  Expr operator()(const Expr& e) {
    if (e.type() == ValueType{ScalarType::integer, 1}) return {static_cast<std::int64_t>(value(e))};
    if (is_input(e.op()) || e.op() == Op::component)
      return head_scalar("v" + std::to_string(++values_)).range(value(e), value(e));
    if (e.op() == Op::select) return (*this)(e.arg(value(e.arg(0)) != 0 ? 1 : 2));
    if (e.op() == Op::to_real && e.arg(0).type().scalar == ScalarType::boolean) return {value(e)};
    std::vector<Expr> args = e.node().args;
    for (Expr& arg : args) arg = (*this)(arg);
    return args.empty() ? e : with_args(e, std::move(args));
  }

 private:
  [[nodiscard]] double value(const Expr& e) const { return inputs_.at(e, i_, j_); }

  const SampledInputs& inputs_;
  std::int64_t i_, j_;
  int values_ = 0;
};

/// Another writing of the same value: sums and products reordered and regrouped, products of sums written out.
Expr rewritten(const Expr& expr, RandomBias& random) {
  return rewrite(expr, [&](const Expr& e) -> Expr {
    const bool swap = random.below(2) == 0;
    if (e.op() == Op::subtract && swap) return -e.arg(1) + e.arg(0);
    if (e.op() == Op::add && swap) return e.arg(1) + e.arg(0);
    if (e.op() != Op::multiply) return e;
    const Expr& a = e.arg(swap ? 1 : 0);
    const Expr& b = e.arg(swap ? 0 : 1);
    if (a.op() == Op::add) return a.arg(0) * b + a.arg(1) * b;
    if (a.op() == Op::subtract) return b * a.arg(0) - b * a.arg(1);
    return a * b;
  });
}

std::string key_of(const Expr& expr) {
  const KernelPlan made = plan({.head_dim = 32, .bias = expr, .arch = Arch{90}});
  return cache::make_key({.source = emit(made).text, .options = {}, .arch = "sm_90a", .compiler_version = "13"});
}

}  // namespace

TEST_CASE("what a kernel adds up is the bias as typed") {
  RandomBias random(5);
  int compared = 0;
  int split = 0;
  for (unsigned n = 0; n < 2000; ++n) {
    const Expr expr = random();
    const bool causal = n % 3 == 0;
    CAPTURE(to_string(expr));
    const BiasProgram program = lower_bias({.head_dim = 32, .bias = expr, .causal = causal, .arch = Arch{90}});
    split += program.split_factors ? 1 : 0;
    const SampledInputs inputs(n, 1);
    const Expr sum = sum_of(program);
    for (int sample = 0; sample < 4; ++sample) {
      const int i = random.below(SampledInputs::kTokens);
      const int j = random.below(causal ? i + 1 : static_cast<int>(SampledInputs::kTokens));
      const double exact = inputs.at(expr, i, j);
      const bool visible = !program.visible.is_bounded() || exact != -HUGE_VAL;
      if (!visible || !std::isfinite(exact)) continue;
      ++compared;
      REQUIRE(inputs.at(sum, i, j) == doctest::Approx(exact).epsilon(1e-9).scale(1 + std::abs(exact)));
    }
  }
  CHECK(compared > 5000);
  CHECK(split > 40);
}

TEST_CASE("what a kernel adds up in f32 loses no more than the bias as typed") {
  RandomBias random(7);
  for (const double extent : {1.0, 1e3, 1e9}) {
    CAPTURE(extent);
    int compared = 0;
    for (unsigned n = 0; n < 1000; ++n) {
      const Expr expr = rewrite(random(), [&](const Expr& e) { return e.node().range ? e.range(-extent, extent) : e; });
      const AttentionConfig config{.head_dim = 32, .bias = expr, .causal = n % 3 == 0, .arch = Arch{90}};
      CAPTURE(to_string(expr));
      const BiasProgram program = lower_bias(config);
      const Expr sum = sum_of(program);
      const SampledInputs inputs(n, extent);
      for (int sample = 0; sample < 4; ++sample) {
        const int i = random.below(SampledInputs::kTokens);
        const int j = random.below(config.causal ? i + 1 : static_cast<int>(SampledInputs::kTokens));
        const double exact = inputs.at(expr, i, j);
        const Expr typed = simplify(expr, config.causal);
        const testing::InF32 in_f32(inputs, i, j);
        const double bound = f32_value(AtPoint(inputs, i, j)(typed)).error;
        if (!std::isfinite(exact) || !std::isfinite(bound) || !std::isfinite(in_f32(typed))) continue;
        ++compared;
        const double computed = in_f32(write_out_dots(sum));
        CAPTURE(to_string(sum));
        REQUIRE(std::abs(computed - exact) <= score_error_budget(config.dtype) + kRegrouped * bound);
      }
    }
    CHECK(compared > 1000);
  }
}

TEST_CASE("equal polynomials written differently have equal keys") {
  RandomBias random(6);
  int different_texts = 0;
  for (int n = 0; n < 300; ++n) {
    Expr expr = random.polynomial(3);
    for (const char* name : {"x", "y", "w", "m", "a"}) {
      try {
        expr = expr.range(name, -1, 1);
      } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch): it has no such input
      }
    }
    expr = rewrite(expr,
                   [](const Expr& e) { return e.op() == Op::q_index || e.op() == Op::kv_index ? e.range(0, 15) : e; });
    const Expr other = rewritten(expr, random);
    CAPTURE(to_string(expr));
    CAPTURE(to_string(other));
    different_texts += to_string(expr) != to_string(other) ? 1 : 0;
    REQUIRE(key_of(expr) == key_of(other));
  }
  CHECK(different_texts > 150);
}

TEST_CASE("known biases have one key however they are written") {
  const Expr x = query_input("x", 2);
  const Expr y = key_input("y", 2);
  const Expr difference = x - y;
  const Expr weight = head_scalar("weight");
  CHECK(key_of(-weight * dot(difference, difference)) ==
        key_of(2.0 * weight * dot(y, x) - weight * dot(x, x) - dot(y, y) * weight));
  CHECK(key_of(alibi() + t5_relative_position() + low_rank(8)) ==
        key_of(low_rank(8) + alibi() + t5_relative_position()));
  CHECK(key_of(-head_scalar("slopes") * abs(kv_length() - q_length() + q_index() - kv_index())) !=
        key_of(-head_scalar("slopes") * abs(q_index() - kv_index())));
  CHECK(key_of(weight * (q_index() - kv_index()) * (q_index() - kv_index())) ==
        key_of(weight * q_index() * q_index() + weight * kv_index() * kv_index() -
               2 * weight * (q_index() * kv_index())));
  CHECK(key_of(max(dot(x, y), 1.0)) == key_of(max(1.0, dot(y, x))));
}

TEST_CASE("separable terms join into one sum of the least rank") {
  const auto joined_rank = [](const Expr& expr) {
    const KernelPlan made = plan({.head_dim = 32, .bias = expr, .arch = Arch{90}});
    return made.terms.at(0).separable_rank;
  };
  const Expr x = query_input("x", 3).range(-1, 1);
  const Expr y = key_input("y", 3).range(-1, 1);
  CHECK(joined_rank(x[0] * y[0] + x[1] * y[0]) == 1);
  CHECK(joined_rank(x[0] * y[0] + x[1] * y[1] - x[0] * y[0]) == 1);
  CHECK(joined_rank(dot(x - y, x - y) + cos(x[0] - y[0])) == 5);
}

TEST_CASE("errors add up: terms that are exact alone but not together are not lowered to factors together") {
  Expr sum;
  for (const char* axis : {"0", "1", "2"}) {
    const Expr difference =
        query_input(std::string("q") + axis, 3).range(-5, 5) - key_input(std::string("k") + axis, 3).range(-5, 5);
    const Expr distance = -dot(difference, difference) * 0.5;
    const AttentionConfig alone{.head_dim = 32, .bias = distance, .arch = Arch{90}};
    CHECK(plan(alone).terms.at(0).lowering == Lowering::factors);
    sum = sum + distance;
  }
  for (const TermPlan& term : plan({.head_dim = 32, .bias = sum, .arch = Arch{90}}).terms)
    CHECK(term.lowering == Lowering::registers);
}

}  // namespace flashbias::codegen
