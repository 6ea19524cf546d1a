#include "codegen/mask.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <utility>

#include "codegen/bias_program.hpp"
#include "codegen/rewrite.hpp"
#include "codegen/value_set.hpp"
#include "flashbias/plan.hpp"
#include "tests/codegen/mask_cases.hpp"
#include "tests/codegen/random_condition.hpp"

namespace flashbias::codegen {
namespace {

using namespace bias;
using reference::Point;
using testing::RandomCondition;

Expr mask(const Expr& seen) { return select(seen, 0.0, -infinity()); }

Expr width() { return head_scalar("width", DType::i32); }

/// Calls visit(point) for each score of small problems, or for those that a causal mask leaves.
template <class Visit>
void for_each_score(bool causal, const Visit& visit) {
  for (const auto& [q_length, kv_length] : {std::pair{5, 5}, {3, 9}, {8, 4}})
    for (int batch = 0; batch < 2; ++batch)
      for (int head = 0; head < 2; ++head)
        for (int i = 0; i < q_length; ++i)
          for (int j = 0; j < kv_length; ++j)
            if (!causal || j <= i + kv_length - q_length)
              visit(Point{.batch = batch,
                          .head = head,
                          .q_index = i,
                          .kv_index = j,
                          .q_length = q_length,
                          .kv_length = kv_length});
}

bool same(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

/// Outside its range the bias is -infinity; inside, it is what is left of it. Returns whether a range was found.
bool check_taken_off(const Expr& bias, bool causal) {
  const testing::MaskInputs inputs;
  const reference::Inputs bound = inputs.bound();
  const MaskedBias masked = take_off_mask(bias, causal);
  CAPTURE(to_string(bias));
  CAPTURE(causal);
  CAPTURE(to_string(masked.visible));
  CAPTURE(to_string(masked.rest));
  int wrong = 0;
  for_each_score(causal, [&](const Point& at) {
    const double typed = reference::evaluate(bias, at, bound);
    const bool inside = testing::ends_at(masked.visible, at, bound).contain(at.kv_index);
    const double taken = inside ? reference::evaluate(masked.rest, at, bound) : -kInfinity;
    wrong += same(typed, taken) ? 0 : 1;
  });
  CHECK(wrong == 0);
  return masked.visible.is_bounded();
}

KeyRange visible(const Expr& bias, bool causal = false) { return take_off_mask(bias, causal).visible; }

std::string term_reason(const Expr& bias, std::size_t term) {
  return plan({.head_dim = 64, .bias = bias, .causal = true, .arch = Arch{90}}).terms.at(term).reason;
}

}  // namespace

TEST_CASE("the masks that people use are ranges of keys, and nothing is left of them") {
  for (const auto& [seen, causal] : testing::common_masks()) {
    const MaskedBias masked = take_off_mask(mask(seen), causal);
    CAPTURE(to_string(seen));
    CHECK(masked.visible.exact);
    CHECK(is_zero(masked.rest));
    CHECK(check_taken_off(mask(seen), causal));
    CHECK(check_taken_off(select(!seen, -infinity(), real(kv_index())), causal));
  }
}

TEST_CASE("a range hides only keys that the bias hides, whatever the condition") {
  RandomCondition random(7);
  int ranges = 0;
  constexpr int kConditions = 1000;
  for (int n = 0; n < kConditions; ++n) {
    const Expr a = random.condition(random.below(4));
    const Expr b = random.condition(random.below(3));
    const Expr x = real(kv_index() - 2 * q_index());
    const Expr masked[] = {select(a, x, -infinity()),
                           select(a, -infinity(), x),
                           select(a, select(b, x, -infinity()), -infinity()),
                           select(a, mask(b), select(b, -infinity(), x)),
                           select(a, x + mask(b), -infinity()),
                           -select(a, infinity(), x),
                           x + mask(a) + mask(b)};
    ranges += check_taken_off(masked[random.below(static_cast<int>(std::size(masked)))], n % 2 == 0) ? 1 : 0;
  }
  CHECK(ranges > kConditions / 8);
  CHECK(ranges < kConditions);
}

TEST_CASE("the terms of a plan add up to the bias inside the keys that it leaves, and all others are hidden") {
  RandomCondition random(9);
  const testing::MaskInputs inputs;
  const reference::Inputs bound = inputs.bound();
  int masks = 0;
  for (int n = 0; n < 300; ++n) {
    const Expr x = 0.5 * abs(q_position() - kv_index());
    const Expr bias = select(random.condition(random.below(3)), x, -infinity()) -
                      select(random.condition(random.below(2)), infinity(), 1.0) + mask(random.condition(1));
    const AttentionConfig config{.bias = bias, .causal = n % 2 == 0};
    CAPTURE(to_string(bias));
    const BiasProgram program = lower_bias(config);
    int wrong = 0;
    for_each_score(config.causal, [&](const Point& at) {
      double sum = 0;
      for (const TermPlan& term : program.terms)
        if (term.lowering != Lowering::mask) sum += reference::evaluate(term.expression, at, bound);
      const bool inside = testing::ends_at(program.visible, at, bound).contain(at.kv_index);
      wrong += same(reference::evaluate(bias, at, bound), inside ? sum : -kInfinity) ? 0 : 1;
    });
    CHECK(wrong == 0);
    masks += program.visible.is_bounded() ? 1 : 0;
  }
  CHECK(masks > 60);
}

TEST_CASE("what a range does not tell stays a condition") {
  const Expr near = q_position() - kv_index() < 3;
  const Expr same_document = query_input("document", 1, DType::i32) == key_input("document_k", 1, DType::i32);
  const MaskedBias both = take_off_mask(select(same_document && near, 1.0, -infinity()), true);
  CHECK(to_string(both.visible) == "[q_index() + kv_length() - q_length() - 2, kv_length())");
  CHECK(equal(both.rest, select(same_document, 1.0, -infinity())));
  CHECK_FALSE(both.visible.exact);

  // Between two ranges there is a gap.
  const Expr sink_or_near = kv_index() < 2 || (near && kv_index() <= q_position());
  const MaskedBias gap = take_off_mask(mask(sink_or_near), false);
  CHECK(to_string(gap.visible) == "[0, max(2, q_index() + kv_length() + 1 - q_length()))");
  CHECK(equal(gap.rest, mask(sink_or_near)));

  // Ends that rise and fall with the query do not go together.
  const Expr rising = kv_index() >= q_index() - 2;
  const Expr falling = kv_index() >= 6 - q_index();
  const MaskedBias nested = take_off_mask(select(rising, select(falling, 1.0, -infinity()), -infinity()), false);
  CHECK(to_string(nested.visible) == "[q_index() - 2, kv_length())");
  CHECK(equal(nested.rest, select(falling, 1.0, -infinity())));
  CHECK_FALSE(nested.visible.exact);
  CHECK(equal(take_off_mask(mask(rising && falling), false).rest, mask(falling)));

  for (const Expr& unknown : {same_document, kv_index() % 2 == 0, kv_index() * kv_index() < 9, kv_index() != 3,
                              real(kv_index()) < head_scalar("w"), kv_index() < query_input("n", 1, DType::i32),
                              kv_index() >= abs(q_index() - 4), kv_index() < width() + head()}) {
    CAPTURE(to_string(unknown));
    const MaskedBias masked = take_off_mask(mask(unknown), false);
    CHECK_FALSE(masked.visible.is_bounded());
    CHECK(equal(masked.rest, mask(unknown)));
  }
}

TEST_CASE("a range is the same however it is written") {
  const Expr distance = q_position() - kv_index();
  const Expr written[] = {abs(distance) < 9, kv_index() - q_position() > -9 && distance > -9,
                          !(distance >= 9 || 9 <= kv_index() - q_index() - (kv_length() - q_length())),
                          2 * distance - 18 < 0 && kv_index() + q_length() <= 8 + q_index() + kv_length()};
  for (const Expr& seen : written) {
    CAPTURE(to_string(seen));
    const KeyRange range = visible(mask(seen));
    CHECK(to_string(range.end.value()) == "q_index() + kv_length() + 9 - q_length()");
  }
  const auto prefix = [&](const Expr& a, const Expr& b) { return to_string(visible(mask(a || b))); };
  CHECK(prefix(distance >= 0, kv_index() < width()) == prefix(kv_index() < width(), distance >= 0));
}

TEST_CASE("a bias without a mask stays as it was") {
  for (const Expr& expr :
       {alibi(), key_padding_mask(), none(), select(kv_index() < 3, 1.0, 2.0), select(head() < 3, 1.0, 2.0),
        -infinity(), select(kv_index() < 3, 0.0, infinity()), exp(mask(kv_index() < 3))}) {
    const MaskedBias masked = take_off_mask(expr, false);
    CHECK_FALSE(masked.visible.is_bounded());
    CHECK(equal(masked.rest, expr));
  }
}

TEST_CASE("numbers of any size in a head scalar keep the ends within 32 bits") {
  const Expr seen[] = {abs(q_position() - kv_index()) < width(), kv_index() < width() || kv_index() <= q_position(),
                       -kv_index() < 3 * width() - q_position(), 2 * kv_index() <= q_index() - width()};
  for (const double extreme : {2147483647.0, -2147483648.0, 2147483640.0, 1073741824.0, -536870913.0}) {
    const testing::FilledTensor bound(DType::i32, {1}, {extreme});
    const reference::Inputs inputs{{"width", bound}};
    for (const Expr& condition : seen)
      for (const std::int64_t q : {0, 1 << 23, (1 << 24) - 1})
        for (const std::int64_t kv : {0, 1 << 22, (1 << 24) - 1}) {
          const Point at{.q_index = q, .kv_index = kv, .q_length = 1 << 24, .kv_length = 1 << 24};
          const KeyRange range = visible(mask(condition));
          CAPTURE(to_string(condition));
          for (const auto& end : {range.first, range.end}) {
            const auto too_large = [&](const ExprNode& node) {
              const bool clamped = node.op == Op::multiply && !node.reads_query;  // as typed, it may overflow
              if (node.type.scalar != ScalarType::integer || node.op == Op::head_scalar || clamped) return false;
              ExprNode copy = node;
              return std::abs(reference::evaluate(make_expr(std::move(copy)), at, inputs)) > 2147483647.0;
            };
            if (end) CHECK_FALSE(any_node(strip_names(*end), too_large));
          }
          const bool inside = testing::ends_at(range, at, inputs).contain(kv);
          CHECK(inside == (reference::evaluate(mask(condition), at, inputs) == 0));
        }
  }
}

TEST_CASE("literals beyond all indices are as good as infinite, and what may overflow is no range") {
  CHECK(to_string(visible(mask(q_position() - kv_index() < 2'000'000'000))) ==
        "[q_index() + kv_length() - q_length() - 536870912, kv_length())");
  CHECK_FALSE(visible(mask(100'000 * kv_index() < q_index())).is_bounded());
  CHECK_FALSE(visible(mask(kv_index() < 100'000 * q_index())).is_bounded());
}

TEST_CASE("conditions of any size are read in bounded time") {
  Expr nested = kv_index() - q_index();
  for (int i = 0; i < 100; ++i) nested = abs(nested - i);
  CHECK_FALSE(visible(mask(nested < 5)).is_bounded());
  Expr many = kv_index() < width();
  for (int i = 0; i < 150; ++i) many = many && kv_index() < width() + q_index() / (i + 2);
  const MaskedBias masked = take_off_mask(mask(many), false);
  CHECK(masked.visible.is_bounded());
  CHECK(masked.visible.end->node().nodes <= 64);
  CHECK_FALSE(is_zero(masked.rest));
}

TEST_CASE("what might turn a hidden key into a NaN is told from what cannot") {
  const Expr near = mask(kv_index() < 3);
  CHECK_FALSE(may_cancel_mask(near + alibi() + dense() + key_padding_mask()));
  CHECK_FALSE(may_cancel_mask(near - select(kv_index() < 9, 0.0, infinity())));
  CHECK(may_cancel_mask(near + select(kv_index() < 9, 0.0, infinity())));
  CHECK(may_cancel_mask(near - mask(kv_index() < 9)));
  CHECK(may_cancel_mask(near + min(infinity(), kv_index())));
  // Then it is left where it is.
  const auto terms =
      plan({.head_dim = 64, .bias = near + select(kv_index() == 9, infinity(), 0.0), .arch = Arch{90}}).terms;
  CHECK(terms.at(0).lowering == Lowering::key_column);
}

TEST_CASE("a plan tells which keys a mask leaves and what becomes of the rest") {
  const Expr distance = q_position() - kv_index();
  const Expr window = select(distance < 256, alibi(), -infinity());
  const auto terms = plan({.head_dim = 64, .bias = window, .causal = true, .arch = Arch{90}}).terms;
  REQUIRE(terms.size() == 2);
  CHECK(terms[0].lowering == Lowering::mask);
  CHECK(equal(terms[0].expression, window));
  CHECK(terms[0].reason ==
        "hides keys outside [q_index() + kv_length() - q_length() - 255, kv_length()): tiles outside are skipped, and "
        "only tiles across its ends are masked");
  CHECK(terms[1].lowering == Lowering::key_column);
  CHECK(equal(terms[1].expression, alibi()));

  const Expr document = query_input("document", 1, DType::i32) == key_input("document_k", 1, DType::i32);
  CHECK(term_reason(mask(document), 0).ends_with("which keys it hides is known score by score only: it skips no tile"));
  CHECK(term_reason(mask(document && distance < 9), 0).ends_with("what it hides inside is evaluated for each score"));
  // Nothing of a key padding mask is known ahead either, but it costs nothing a score.
  CHECK(term_reason(key_padding_mask(), 0) == "depends on the key alone: one number a key, one addition a score");
}

TEST_CASE("a mask that is causal as written makes distances as simple as a causal config does") {
  const Expr seen = kv_index() <= q_position() && q_position() - kv_index() < 64;
  const auto terms = plan({.head_dim = 64, .bias = select(seen, alibi(), -infinity()), .arch = Arch{90}}).terms;
  REQUIRE(terms.size() == 2);
  CHECK(terms[1].lowering == Lowering::key_column);
}

}  // namespace flashbias::codegen
