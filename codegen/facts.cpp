#include "codegen/facts.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "codegen/rewrite.hpp"

namespace flashbias::codegen {
namespace {

/// What further branches inside tell is forgotten, so that no expression takes long.
constexpr std::size_t kMaxFacts = 64;

bool is_integer(const Expr& expr) { return expr.type().scalar == ScalarType::integer; }

bool is_literal_number(const Expr& expr) { return expr.op() == Op::integer_literal || expr.op() == Op::real_literal; }

/// 1 or -1 where that times the terms of one sum are those of the other, 0 where neither is.
int sign_between(const LinearSum& a, const LinearSum& b) {
  if (a.terms.empty() || a.terms.size() != b.terms.size()) return 0;
  const auto in_b = [&](const LinearSum::Term& term, int sign) {
    const auto same = [&](const LinearSum::Term& other) {
      return other.coefficient == sign * term.coefficient && equal(other.atom, term.atom);
    };
    return std::ranges::any_of(b.terms, same);
  };
  for (const int sign : {1, -1})
    if (std::ranges::all_of(a.terms, [&](const LinearSum::Term& term) { return in_b(term, sign); })) return sign;
  return 0;
}

/// Whether numbers, as inputs are, may give NaN: where that is compared, each comparison is false.
bool may_be_nan(const Expr& expr) {
  return any_node(expr, [](const ExprNode& node) {
    return node.op == Op::sqrt || node.op == Op::log || (node.op == Op::real_literal && !std::isfinite(node.real));
  });
}

class Conclusion {
 public:
  /// `holds`: from a comparison that is true; else from one that is not, as those of NaN are.
  explicit Conclusion(bool holds) : holds_(holds) {}

  std::vector<Fact> facts;

  /// Of an expression, and of what it is made of.
  void add(const Expr& expr, const ValueSet& values) {
    if (is_literal_number(expr) || facts.size() >= kMaxFacts) return;
    const ValueSet known = is_integer(expr) ? integers(values) : values;
    facts.push_back({.of = expr, .values = known, .sum = linear_sum(expr)});
    add_of_operands(expr, known);
  }

 private:
  void add_of_operands(const Expr& expr, const ValueSet& values) {
    switch (expr.op()) {
      case Op::named:
        return add(expr.arg(0), values);
      case Op::to_real:
        if (is_integer(expr.arg(0))) add(expr.arg(0), values);
        return;
      case Op::negate:
        return add(expr.arg(0), -values);
      case Op::subtract:
        if (!is_integer(expr)) facts.push_back({.of = expr.arg(1) - expr.arg(0), .values = -values});
        return;
      case Op::absolute:
        return add(expr.arg(0), between(-values.high, values.high, values.zero));
      case Op::sqrt:
        return add(expr.arg(0), between(holds_ ? 0 : -kInfinity, kInfinity, values.zero));
      case Op::multiply:
        if (values.zero || (!holds_ && may_be_nan(expr))) return;
        add(expr.arg(0), not_zero());
        return add(expr.arg(1), not_zero());
      case Op::minimum:
        return add_to_both(expr, between(values.low, kInfinity, values.zero));
      case Op::maximum:
        return add_to_both(expr, between(-kInfinity, values.high, values.zero));
      default:
        return;
    }
  }

  /// An operand beyond the bound may be 0 unless the bound is on the other side of it or at it.
  void add_to_both(const Expr& expr, ValueSet values) {
    values.zero |= values.low < 0 && values.high > 0;
    const bool held = std::exchange(holds_, false);  // of NaN and a number, they take the number
    add(expr.arg(0), values);
    add(expr.arg(1), values);
    holds_ = held;
  }

  bool holds_;
};

/// a < b or a <= b.
std::vector<Fact> of_order(const Expr& lesser, const ValueSet& a, const Expr& greater, const ValueSet& b, bool strict,
                           bool holds) {
  const double step = strict && is_integer(lesser) ? 1 : 0;
  Conclusion conclusion(holds);
  conclusion.add(lesser, between(-kInfinity, b.high - step, b.high > 0 || (!strict && b.zero)));
  conclusion.add(greater, between(a.low + step, kInfinity, a.low < 0 || (!strict && a.zero)));
  if (!is_literal_number(lesser) && !is_literal_number(greater))
    conclusion.add(greater - lesser, between(0, kInfinity, !strict));
  return std::move(conclusion.facts);
}

std::vector<Fact> of_equality(const Expr& one, const ValueSet& a, const Expr& other, const ValueSet& b) {
  Conclusion conclusion(/*holds=*/true);
  conclusion.add(one, b);
  conclusion.add(other, a);
  return std::move(conclusion.facts);
}

std::vector<Fact> of_difference(const Expr& one, const ValueSet& a, const Expr& other, const ValueSet& b) {
  Conclusion conclusion(/*holds=*/false);
  if (b.only_zero()) conclusion.add(one, not_zero());
  if (a.only_zero()) conclusion.add(other, not_zero());
  if (!is_literal_number(one) && !is_literal_number(other)) conclusion.add(one - other, not_zero());
  return std::move(conclusion.facts);
}

void append(std::vector<Fact>& facts, const std::vector<Fact>& more) {
  const auto kept = static_cast<std::ptrdiff_t>(std::min(kMaxFacts - facts.size(), more.size()));
  facts.insert(facts.end(), more.begin(), more.begin() + kept);
}

}  // namespace

Consequences consequences_of_comparison(const Expr& comparison, const ValueSet& a, const ValueSet& b) {
  const Expr& left = comparison.arg(0);
  const Expr& right = comparison.arg(1);
  if (comparison.op() == Op::equal)
    return {.if_true = of_equality(left, a, right, b), .if_false = of_difference(left, a, right, b)};
  const bool strict = comparison.op() == Op::less;
  return {.if_true = of_order(left, a, right, b, strict, /*holds=*/true),
          .if_false = of_order(right, b, left, a, !strict, /*holds=*/false)};
}

Consequences consequences_of_and(Consequences a, const Consequences& b) {
  append(a.if_true, b.if_true);
  return {.if_true = std::move(a.if_true)};
}

Facts::Scope::Scope(Facts& facts, const std::vector<Fact>& added) : facts_(facts), before_(facts.facts_.size()) {
  append(facts_.facts_, added);
}

Facts::Scope::~Scope() {
  facts_.facts_.erase(facts_.facts_.begin() + static_cast<std::ptrdiff_t>(before_), facts_.facts_.end());
}

ValueSet Facts::narrowed(const Expr& expr, const ValueSet& values) const {
  ValueSet result = values;
  for (const Fact& fact : facts_)
    if (equal(fact.of, expr)) result = common(result, fact.values);
  return result;
}

ValueSet Facts::narrowed(const LinearSum& sum, const ValueSet& values) const {
  ValueSet result = values;
  for (const Fact& fact : facts_) {
    const int sign = fact.sum ? sign_between(*fact.sum, sum) : 0;
    if (sign == 0) continue;
    const auto constant = static_cast<double>(sum.constant - sign * fact.sum->constant);
    result = common(result, integers((sign > 0 ? fact.values : -fact.values) + between(constant, constant)));
  }
  return result;
}

}  // namespace flashbias::codegen
