#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <vector>

#include "codegen/bias_program.hpp"
#include "codegen/rewrite.hpp"
#include "flashbias/cache.hpp"
#include "flashbias/plan.hpp"
#include "flashbias/source.hpp"
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
