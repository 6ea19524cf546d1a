#include "codegen/linear_sum.hpp"

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>

#include "codegen/rewrite.hpp"

namespace flashbias::codegen {
namespace {

constexpr std::size_t kMaxTerms = 32;
constexpr std::int64_t kCoefficientLimit = std::int64_t{1} << 31;

bool small(const LinearSum& sum) {
  const auto fits = [](std::int64_t c) { return -kCoefficientLimit < c && c < kCoefficientLimit; };
  return sum.terms.size() <= kMaxTerms && fits(sum.constant) &&
         std::ranges::all_of(sum.terms, [&](const LinearSum::Term& term) { return fits(term.coefficient); });
}

std::optional<LinearSum> unchecked_linear_sum(const Expr& expr) {
  switch (expr.op()) {
    case Op::integer_literal:
      return LinearSum{.constant = expr.node().integer};
    case Op::named:
      return linear_sum(expr.arg(0));
    case Op::negate:
      if (const auto a = linear_sum(expr.arg(0))) return *a * -1;
      return std::nullopt;
    case Op::add:
    case Op::subtract: {
      const auto a = linear_sum(expr.arg(0));
      const auto b = linear_sum(expr.arg(1));
      if (a && b) return *a + *b * (expr.op() == Op::add ? 1 : -1);
      return std::nullopt;
    }
    case Op::multiply: {
      const auto a = linear_sum(expr.arg(0));
      const auto b = linear_sum(expr.arg(1));
      if (!a || !b) return std::nullopt;
      if (a->terms.empty()) return *b * a->constant;
      if (b->terms.empty()) return *a * b->constant;
      break;
    }
    default:
      break;
  }
  return LinearSum{.terms = {{expr, 1}}};
}

}  // namespace

LinearSum operator+(LinearSum a, const LinearSum& b) {
  a.constant += b.constant;
  for (const LinearSum::Term& term : b.terms) {
    const auto same = [&](const LinearSum::Term& other) { return equal(other.atom, term.atom); };
    if (const auto found = std::ranges::find_if(a.terms, same); found != a.terms.end())
      found->coefficient += term.coefficient;
    else
      a.terms.push_back(term);
  }
  std::erase_if(a.terms, [](const LinearSum::Term& term) { return term.coefficient == 0; });
  return a;
}

LinearSum operator*(LinearSum sum, std::int64_t by) {
  if (by == 0) return {};
  sum.constant *= by;
  for (LinearSum::Term& term : sum.terms) term.coefficient *= by;
  return sum;
}

std::optional<LinearSum> linear_sum(const Expr& expr) {
  if (expr.type() != ValueType{ScalarType::integer, 1}) return std::nullopt;
  auto sum = unchecked_linear_sum(expr);
  if (sum && !small(*sum)) return std::nullopt;
  return sum;
}

Expr to_expr(const LinearSum& sum) {
  std::vector<LinearSum::Term> terms = sum.terms;
  std::ranges::sort(terms, {}, [](const LinearSum::Term& term) {
    return std::pair(!dependence(term.atom).query, to_string(term.atom));
  });
  std::optional<Expr> result;
  const auto add = [&](const Expr& addend) { result = result ? *result + addend : addend; };
  const auto subtract = [&](const Expr& addend) { result = result ? *result - addend : -addend; };
  const auto multiple = [](const Expr& atom, std::int64_t by) { return by == 1 ? atom : atom * Expr(by); };
  for (const LinearSum::Term& term : terms)
    if (term.coefficient > 0) add(multiple(term.atom, term.coefficient));
  if (sum.constant > 0) add(sum.constant);
  for (const LinearSum::Term& term : terms)
    if (term.coefficient < 0) subtract(multiple(term.atom, -term.coefficient));
  if (sum.constant < 0) subtract(-sum.constant);
  return result.value_or(Expr(0));
}

}  // namespace flashbias::codegen
