#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <random>
#include <string>
#include <vector>

#include "codegen/rewrite.hpp"
#include "codegen/value_analysis.hpp"
#include "flashbias/reference.hpp"

namespace flashbias::codegen {
namespace {

using namespace bias;

constexpr int kTokens = 5;

/// An input with the bounds it declares, which its samples keep to and prefer to reach, like 0.
struct Input {
  Expr expr;
  std::vector<double> samples;
};

Input input(const Expr& expr, double low, double high) {
  std::vector<double> samples{low, high, (low + high) / 2};
  if (low <= 0 && high >= 0) samples.push_back(0);
  return {expr.range(low, high), samples};
}

/// Numbers that divide, guard and are guarded, of inputs that are often 0 or equal.
class RandomQuotient {
 public:
  explicit RandomQuotient(unsigned seed) : random_(seed) {}

  Expr number(int depth) {
    if (depth == 0) return leaf();
    const int next = depth - 1;
    switch (below(15)) {
      case 0:
        return number(next) + number(next);
      case 1:
        return number(next) - number(next);
      case 2:
        return number(next) * number(next);
      case 3:
      case 4:
        return number(next) / divisor(next);
      case 5: {
        const Expr divisor = not_literally_zero(number(next));
        const Expr quotient = number(next) / divisor;
        return guarded(divisor, quotient, number(next));
      }
      case 6:
        return min(number(next), number(next));
      case 7:
        return max(number(next), number(next));
      case 8:
        return abs(number(next));
      case 9:
        return sqrt(abs(number(next)));
      case 10:
        return exp(min(number(next), 3.0));
      case 11:
        return below(2) == 0 ? sin(number(next)) : atan2(number(next), number(next));
      case 12:
        return select(condition(next), number(next), number(next));
      case 13:
        return real(integer(next));
      default:
        return -number(next);
    }
  }

  int below(int end) { return std::uniform_int_distribution(0, end - 1)(random_); }
  std::mt19937& random() { return random_; }

  static std::array<Input, 6> inputs() {
    return {input(head_scalar("a"), -1, 1),
            input(head_scalar("b"), 0, 2),
            input(head_scalar("c"), 1, 3),
            input(head_scalar("d"), -2, -0.5),
            input(head_scalar("n", DType::i32), -2, 2),
            input(head_scalar("m", DType::i32), 0, 2)};
  }

 private:
  Expr divisor(int depth) {
    const Expr expr = number(depth);
    switch (below(7)) {
      case 0:
        return 1 + abs(expr);
      case 1:
        return expr * expr + 0.5;
      case 2:
        return max(expr, 0.25);
      case 3:
        return select(expr == 0.0, 1.0, expr);
      case 4:
        return real(1 + abs(integer(depth)));
      default:
        return not_literally_zero(expr);
    }
  }

  /// A literal 0 is refused where the division is built.
  static Expr not_literally_zero(const Expr& expr) {
    const bool zero = is_zero(expr) || (expr.op() == Op::to_real && is_zero(expr.arg(0)));
    return zero ? Expr(1.0) : expr;
  }

  Expr guarded(const Expr& divisor, const Expr& quotient, const Expr& otherwise) {
    switch (below(7)) {
      case 0:
        return select(divisor == 0.0, otherwise, quotient);
      case 1:
        return select(divisor != 0.0 && condition(1), quotient, otherwise);
      case 2:
        return select(divisor > 0.0, quotient, otherwise);
      case 3:
        return select(abs(divisor) >= 0.25, quotient, otherwise);
      case 4:
        return select(divisor >= 0.0 || condition(1), otherwise, quotient);
      case 5:
        return select(!(divisor < 0.0), otherwise, quotient);
      default:
        return select(divisor <= 0.0, quotient, otherwise);  // guards nothing
    }
  }

  Expr integer(int depth) {
    if (depth == 0) {
      const std::array<Expr, 8> leaves{q_index(),    kv_index(),  q_length(),  kv_length(),
                                       q_position(), declared(4), declared(5), below(5) - 2};
      return leaves.at(static_cast<std::size_t>(below(8)));
    }
    const int next = depth - 1;
    switch (below(8)) {
      case 0:
        return integer(next) / (1 + abs(integer(next)));
      case 1:
        return integer(next) % max(integer(next), 1);
      case 2:
        return integer(next) * integer(next);
      case 3: {
        const Expr a = integer(next);
        const Expr b = integer(next);
        const Expr quotient = integer(next) / (a - b + (1 - below(3)));
        return below(2) == 0 ? select(a < b, quotient, 7) : select(a == b, 7, quotient);
      }
      case 4:
        return integer(next) + integer(next);
      case 5:
        return select(condition(next), integer(next), integer(next));
      default:
        return integer(next) - integer(next);
    }
  }

  Expr condition(int depth) {
    const int next = std::max(depth - 1, 0);
    switch (depth == 0 ? 2 + below(4) : below(6)) {
      case 0:
        return condition(next) && condition(next);
      case 1:
        return condition(next) || !condition(next);
      case 2:
        return number(next) < number(next);
      case 3:
        return number(next) <= number(next);
      case 4:
        return integer(next) < integer(next);
      default:
        return below(2) == 0 ? number(next) == number(next) : integer(next) != integer(next);
    }
  }

  static Expr declared(std::size_t index) { return inputs().at(index).expr; }

  Expr leaf() {
    const int which = below(8);
    if (which < 6) return real(declared(static_cast<std::size_t>(which)));
    return which == 6 ? Expr(below(9) * 0.5 - 2) : real(integer(0));
  }

  std::mt19937 random_;
};

struct Sample {
  std::array<float, 4> reals;
  std::array<std::int32_t, 2> integers;
  reference::Point point;

  Sample(RandomQuotient& random, bool causal) {
    const auto pick = [&](const Input& from) {
      return from.samples[static_cast<std::size_t>(random.below(static_cast<int>(from.samples.size())))];
    };
    const auto inputs = RandomQuotient::inputs();
    for (std::size_t i = 0; i < 4; ++i) reals.at(i) = static_cast<float>(pick(inputs.at(i)));
    for (std::size_t i = 0; i < 2; ++i) integers.at(i) = static_cast<std::int32_t>(pick(inputs.at(4 + i)));
    point.q_length = 1 + random.below(kTokens);
    point.kv_length = (causal ? point.q_length : 1) + random.below(kTokens);
    point.q_index = random.below(static_cast<int>(point.q_length));
    const std::int64_t keys = causal ? point.q_index + point.kv_length - point.q_length + 1 : point.kv_length;
    point.kv_index = random.below(static_cast<int>(keys));
  }

  [[nodiscard]] double at(const Expr& expr) {
    reference::Inputs inputs;
    const std::array names{"a", "b", "c", "d"};
    for (std::size_t i = 0; i < 4; ++i)
      inputs.emplace(names.at(i), TensorView::contiguous(&reals.at(i), DType::f32, {1}));
    inputs.emplace("n", TensorView::contiguous(integers.data(), DType::i32, {1}));
    inputs.emplace("m", TensorView::contiguous(&integers[1], DType::i32, {1}));
    return reference::evaluate(expr.type().scalar == ScalarType::boolean ? real(expr) : expr, point, inputs);
  }

  /// What no condition leaves out.
  [[nodiscard]] bool divides_by_zero(const Expr& expr) {
    const auto of = [&](std::size_t index) { return divides_by_zero(expr.arg(index)); };
    switch (expr.op()) {
      case Op::select:
        return of(0) || of(at(expr.arg(0)) != 0 ? 1 : 2);
      case Op::logical_and:
        return of(0) || (at(expr.arg(0)) != 0 && of(1));
      case Op::logical_or:
        return of(0) || (at(expr.arg(0)) == 0 && of(1));
      case Op::divide:
      case Op::remainder:
        return of(0) || of(1) || at(expr.arg(1)) == 0;
      default:
        return std::ranges::any_of(expr.node().args, [&](const Expr& arg) { return divides_by_zero(arg); });
    }
  }
};

bool divides(const Expr& expr) {
  return expr.op() == Op::divide || expr.op() == Op::remainder || std::ranges::any_of(expr.node().args, divides);
}

}  // namespace

TEST_CASE("an expression that is accepted never divides by 0") {
  RandomQuotient random(11);
  int accepted = 0;
  int refused = 0;
  int refused_rightly = 0;
  for (int i = 0; i < 6000; ++i) {
    const Expr expr = random.number(1 + random.below(4));
    if (!divides(expr)) continue;
    const bool causal = random.below(2) == 0;
    const bool serves = !find_zero_divisor(expr, causal).has_value();
    ++(serves ? accepted : refused);
    bool found = false;
    for (int sample = 0; sample < 24 && !found; ++sample) found = Sample(random, causal).divides_by_zero(expr);
    if (!serves) refused_rightly += found ? 1 : 0;
    if (!serves || !found) continue;
    CAPTURE(to_string(expr));
    CAPTURE(causal);
    CHECK_FALSE(found);
  }
  CAPTURE(accepted);
  CAPTURE(refused);
  CAPTURE(refused_rightly);
  CHECK(accepted > 1000);
  CHECK(refused > 200);
  CHECK(refused_rightly > refused / 2);
}

}  // namespace flashbias::codegen
