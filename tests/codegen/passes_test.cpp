#include "codegen/passes/passes.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "codegen/rewrite.hpp"
#include "flashbias/plan.hpp"
#include "tests/codegen/random_bias.hpp"
#include "tests/codegen/sampled_inputs.hpp"
#include "tests/errors.hpp"

namespace flashbias::codegen {
namespace {

using namespace bias;
using testing::RandomBias;
using testing::SampledInputs;

std::string lines(std::initializer_list<std::string_view> texts) {
  std::string result;
  for (const std::string_view text : texts) result += std::string(text) + "\n";
  return result;
}

/// A line for each part.
std::string texts(const BiasForm& form) {
  std::string result;
  for (const auto& [place, expression] : parts(form))
    result += std::string(place) + ": " + to_string(expression) + "\n";
  return result;
}

BiasForm form_of(const AttentionConfig& config, const std::vector<Expr>& addends) {
  BiasForm form(config);
  form.addends.clear();
  for (const Expr& addend : addends) form.addends.push_back({.expr = addend});
  return form;
}

/// What one pass alone makes of addends.
std::string after(void (*pass)(BiasForm&), const std::vector<Expr>& addends, const AttentionConfig& config = {}) {
  BiasForm form = form_of(config, addends);
  pass(form);
  return texts(form);
}

const Expr x = query_input("x");
const Expr y = key_input("y");
const Expr a = head_scalar("a");

/// x and y with their ranges declared.
const Expr u = x.range(-1, 1);
const Expr v = y.range(-1, 1);

}  // namespace

TEST_CASE("pass: a range that is declared once holds everywhere") {
  CHECK(after(spread_ranges, {u * y + x}) ==
        lines({"addend: query_input(x).range(-1, 1) * key_input(y) + query_input(x).range(-1, 1)"}));
}

TEST_CASE("pass: a sum is taken apart, differences and signs included, names not") {
  CHECK(after(split_sum, {x - (a - alibi())}) ==
        lines({"addend: query_input(x)", "addend: -head_scalar(a)", "addend: alibi()"}));
  CHECK(after(split_sum, {Expr(0.0)}).empty());
}

TEST_CASE("pass: masks become a range of keys") {
  BiasForm form = form_of({}, {select(kv_index() < 5, x * y, -infinity()), select(x < y, 0.0, -infinity())});
  take_off_masks(form);
  CHECK(to_string(form.program.visible) == "[0, 5)");
  CHECK(texts(form) == lines({"addend: query_input(x) * key_input(y)",
                              "addend: select(query_input(x) < key_input(y), 0.0, -infinity)"}));
  REQUIRE(form.program.terms.size() == 1);
  CHECK(form.program.terms[0].lowering == Lowering::mask);
}

TEST_CASE("pass: addends are simplified, and become the terms of the plan") {
  BiasForm form =
      form_of({.causal = true}, {alibi(), 2 + 3 * kv_index() - 0, squared_distance(1, DistanceWeight::none)});
  simplify_addends(form);
  CHECK(texts(form) == lines({"addend: -head_scalar(slopes) * (real(q_index() + kv_length() - q_length()) - "
                              "real(kv_index()))",
                              "addend: 2.0", "addend: real(3 * kv_index())",
                              "addend: -((query_input(q_positions) - key_input(k_positions)) * "
                              "(query_input(q_positions) - key_input(k_positions)))"}));
  CHECK(form.program.terms.size() == 4);
}

TEST_CASE("pass: polynomials of declared ranges become one; what has no range or is none stays") {
  CHECK(after(pool_bounded_polynomials, {u * v, sqrt(x - y), v * u * 2.0, x * y}) ==
        lines({"addend: 3.0 * (key_input(y).range(-1, 1) * query_input(x).range(-1, 1))",
               "addend: sqrt(query_input(x) - key_input(y))", "addend: query_input(x) * key_input(y)"}));
}

TEST_CASE("pass: polynomials of declared ranges that mix nothing go to the row and the key at once") {
  CHECK(after(pool_bounded_polynomials, {u * u, v * 2.0, v}) ==
        lines({"query row: query_input(x).range(-1, 1) * query_input(x).range(-1, 1)",
               "key column: 3.0 * key_input(y).range(-1, 1)"}));
}

TEST_CASE("pass: polynomials without ranges become one where that depends on differences") {
  const std::vector<Expr> square{x * x, -(2.0 * x * y), y * y};
  CHECK(after(pool_unbounded_polynomials, square) ==
        lines({"addend: -2.0 * (key_input(y) * query_input(x)) + (key_input(y) * key_input(y) + query_input(x) * "
               "query_input(x))"}));
  CHECK(after(pool_unbounded_polynomials, {x * y, x * x}) ==
        lines({"addend: query_input(x) * key_input(y)", "addend: query_input(x) * query_input(x)"}));
}

TEST_CASE("pass: a polynomial that is none of differences of inputs stays as typed") {
  const Expr scaled = -(x - 3.0 * y) * (x - 3.0 * y);
  CHECK(after(pool_unbounded_polynomials, {scaled}) == lines({"addend: " + to_string(scaled)}));
  const Expr bounded = scaled.range("x", -1000, 1000).range("y", -1000, 1000);
  CHECK(after(pool_bounded_polynomials, {bounded}) == lines({"addend: " + to_string(bounded)}));
  const auto reason = [](const Expr& bias) {
    return plan({.head_dim = 64, .bias = bias, .arch = Arch{90}}).terms.at(0).reason;
  };
  CHECK(reason(scaled).find("exact at any magnitude") == std::string::npos);
  CHECK(reason(-(x - y) * (x - y)).find("; differences are exact at any magnitude") != std::string::npos);
  CHECK(reason(a * sqrt(abs(x - y))).find("; differences are exact at any magnitude") != std::string::npos);
  CHECK(reason(a * sqrt(abs(q_position() - kv_index()) + abs(x))).find("; differences are exact at any magnitude") !=
        std::string::npos);
}

TEST_CASE("pass: what depends on the query alone goes to its row, on the key alone to the key column") {
  CHECK(after(drop_query_terms, {x * a, y, x * y}) ==
        lines({"addend: key_input(y)", "addend: query_input(x) * key_input(y)",
               "query row: head_scalar(a) * query_input(x)"}));
  CHECK(after(split_off_key_terms, {sqrt(y), real(kv_index()) * a, x * y}) ==
        lines({"addend: kv_index() * head_scalar(a)", "addend: query_input(x) * key_input(y)",
               "key column: sqrt(key_input(y))"}));
}

TEST_CASE("pass: each other term takes the lowering that is cheapest") {
  const Expr difference = real(q_index()) - real(kv_index());
  CHECK(after(choose_lowerings, {a * difference, dense(DType::f32),
                                 dot(query_input("f", 8, DType::f16), key_input("g", 8, DType::f16))}) ==
        lines({"query row: head_scalar(a) * (q_index() - kv_origin)",
               "key column: -1.0 * head_scalar(a) * (kv_index() - kv_origin)", "score: dense(f32)",
               "supplied factors: dot(query_input(f, 8, f16), key_input(g, 8, f16))"}));
}

TEST_CASE("pass: an exponential beside a difference stays whole where f32 may not hold its parts") {
  const Expr w = query_input("w");
  const Expr m = key_input("m");
  const auto score = [](const Expr& bias) { return after(choose_lowerings, {bias}); };
  CHECK(score((x - y) * exp(w - m)).find("exp(query_input(w) - key_input(m))") != std::string::npos);
  CHECK(score((x - y) * exp(w.range(-1, 1) - m.range(-1, 1))).find("exp(query_input(w).range(-1, 1))") !=
        std::string::npos);
}

TEST_CASE("pass: a forced lowering that no term can take is refused") {
  const AttentionConfig config{.lowering = Lowering::diagonal};
  const std::string message =
      testing::message_of(ErrorCode::invalid_config, [&] { (void)after(choose_lowerings, {x * y}, config); });
  CHECK(message.find("lowering is diagonal, which no term of the bias can take") == 0);
}

TEST_CASE("pass: products become one sum of as few factors as their rank") {
  BiasForm form = form_of({}, {});
  form.products.add(u * v);
  form.products.add(u * 2.0 * v + v + u);
  factor_products(form);
  CHECK(texts(form) ==
        lines({"query row: query_input(x).range(-1, 1)", "key column: key_input(y).range(-1, 1)",
               "factors: 3.0 * query_input(x).range(-1, 1) * 0.25 * (key_input(y).range(-1, 1) * 4.0)"}));
}

TEST_CASE("pass: the order of a sum does not tell how it was written") {
  const auto column = [](const std::vector<Expr>& addends) {
    BiasForm form = form_of({}, addends);
    split_off_key_terms(form);
    order_sums(form);
    return to_string(form.program.key_column);
  };
  CHECK(column({y, sqrt(y), y * y}) == column({y * y, y, sqrt(y)}));
}

TEST_CASE("pass: places are measured in units of the softmax scale, unless factors are supplied") {
  BiasForm form = form_of({}, {});
  form.program.key_column = y;
  form.program.score = a * sqrt(x - y);
  measure_in_scale(form);
  CHECK(texts(form) ==
        lines({"key column: key_input(y) * p.inverse_softmax_scale",
               "score: head_scalar(a) * p.inverse_softmax_scale * sqrt(query_input(x) - key_input(y))"}));
  BiasForm supplied = form_of({}, {});
  supplied.program.key_column = y;
  supplied.program.factors.push_back({"f", "g", 8, DType::f16});
  measure_in_scale(supplied);
  CHECK(texts(supplied).find("key column: key_input(y)\n") == 0);
}

TEST_CASE("pass: what is the same for a head, a row or a key is taken out of the score") {
  BiasForm form = form_of({}, {});
  form.program.score = sqrt(a) * abs(sqrt(x) - y * y);
  hoist_values(form);
  CHECK(texts(form) == lines({"score: head.value0 * abs(row.value0 - key.value0)"}));
  CHECK(to_string(form.program.hoisted.key.at(0).meaning) == "key_input(y) * key_input(y)");
}

TEST_CASE("after each pass, the parts of a bias add up to it") {
  RandomBias random(8);
  constexpr std::int64_t kOrigin = 2;  // where a thread block counts positions from
  int compared = 0;
  for (unsigned n = 0; n < 400; ++n) {
    const Expr bias = random();
    const AttentionConfig config{.head_dim = 32, .bias = bias, .causal = n % 3 == 0, .arch = Arch{90}};
    CAPTURE(to_string(bias));
    const SampledInputs inputs(n, 1);
    (void)run_passes(config, [&](const Pass& pass, const BiasForm& form) {
      CAPTURE(pass.name);
      Expr sum;
      for (const BiasPart& part : parts(form)) sum = sum + part.expression;
      sum = rewrite(
          sum, [](const Expr& e) { return e.op() == Op::named && e.node().name == "kv_origin" ? Expr(kOrigin) : e; });
      for (const auto& [i, j] : {std::pair(8, 0), std::pair(4, 3), std::pair(7, 7)}) {
        const double exact = inputs.at(bias, i, j);
        if (!std::isfinite(exact)) continue;
        ++compared;
        REQUIRE(inputs.at(sum, i, j) == doctest::Approx(exact).epsilon(1e-9).scale(1 + std::abs(exact)));
      }
    });
  }
  CHECK(compared > 10'000);
}

TEST_CASE("the passes are explained one by one") {
  const std::string text =
      explain_passes(plan({.head_dim = 64, .bias = alibi(), .causal = true, .log_sum_exp = true, .arch = Arch{90}}));
  CHECK(text.find("bias as typed\n    addend            alibi()\n") == 0);
  for (const Pass& pass : passes()) CHECK(text.find("\n" + std::string(pass.name) + ": ") != std::string::npos);
  CHECK(text.find("\n    key column        1.0 * head_scalar(slopes) * (kv_index() - kv_origin)\n") !=
        std::string::npos);
}

TEST_CASE("the passes of a backward config are said to be those of the forward pass") {
  const KernelPlan backward =
      plan({.direction = Direction::backward, .head_dim = 64, .bias = alibi(), .arch = Arch{90}});
  CHECK(explain_passes(backward).find("passes of the forward pass, whose log-sum-exp the backward pass reads") == 0);
  CHECK(explain_passes_json(backward).find("\"note\": \"passes of the forward pass") != std::string::npos);
  const KernelPlan forward = plan({.head_dim = 64, .bias = alibi(), .arch = Arch{90}});
  CHECK(explain_passes(forward).find("bias as typed") == 0);
  CHECK(explain_passes_json(forward).find("note") == std::string::npos);
}

}  // namespace flashbias::codegen
