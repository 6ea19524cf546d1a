#include "codegen/sum_of_products.hpp"

#include <cmath>
#include <span>
#include <utility>
#include <vector>

#include "codegen/rewrite.hpp"
#include "codegen/simplify.hpp"
#include "flashbias/error.hpp"

namespace flashbias::codegen {
namespace {

constexpr std::size_t kMaxOperations = 20'000;

struct TooLarge {};

SumOfProducts constant(const mpq_class& value) {
  SumOfProducts sum;
  if (value != 0) sum.terms[{}] = value;
  return sum;
}

/// A number without atoms.
std::optional<mpq_class> as_constant(const SumOfProducts& sum) {
  if (sum.terms.empty()) return mpq_class(0);
  if (sum.terms.size() == 1 && sum.terms.begin()->first.empty()) return sum.terms.begin()->second;
  return std::nullopt;
}

/// Halves first, so that long sums stay flat.
Expr sum_of(std::span<const Expr> addends) {
  if (addends.empty()) return 0.0;
  if (addends.size() == 1) return addends.front();
  const std::size_t half = addends.size() / 2;
  return sum_of(addends.first(half)) + sum_of(addends.subspan(half));
}

class Expander {
 public:
  SumOfProducts expand(const Expr& e) {
    switch (e.op()) {
      case Op::integer_literal:
        return constant(mpq_class(static_cast<signed long>(e.node().integer)));
      case Op::real_literal:
        return std::isfinite(e.node().real) ? constant(mpq_class(e.node().real)) : atom(e);
      case Op::named:
        return expand(e.arg(0));
      case Op::to_real:
        return e.arg(0).type().scalar == ScalarType::integer ? expand(e.arg(0)) : atom(e);
      case Op::negate:
        return multiply(constant(-1), expand(e.arg(0)));
      case Op::add:
        return add(expand(e.arg(0)), expand(e.arg(1)), 1);
      case Op::subtract:
        return add(expand(e.arg(0)), expand(e.arg(1)), -1);
      case Op::multiply:
        return multiply(expand(e.arg(0)), expand(e.arg(1)));
      case Op::divide:
        return e.type().scalar == ScalarType::integer ? atom(e) : divide(expand(e.arg(0)), expand(e.arg(1)));
      case Op::dot:
        return dot(e);
      case Op::exp:
      case Op::sin:
      case Op::cos:
        return function_of_sum(e);
      default:
        return atom(with_canonical_args(e));
    }
  }

 private:
  void count(std::size_t operations) {
    operations_ += operations;
    if (operations_ > kMaxOperations) throw TooLarge{};
  }

  SumOfProducts atom(const Expr& expr) {
    count(static_cast<std::size_t>(expr.node().nodes));  // its text is as long
    return {.terms = {{{{Atom(expr)}}, 1}}};
  }

  SumOfProducts add(SumOfProducts a, const SumOfProducts& b, int sign) {
    count(b.terms.size() + 1);
    return sum(std::move(a), b, sign);
  }

  SumOfProducts multiply(const SumOfProducts& a, const SumOfProducts& b) {
    count(a.terms.size() * b.terms.size() + 1);
    return product(a, b);
  }

  SumOfProducts divide(const SumOfProducts& a, const SumOfProducts& b) {
    if (const auto divisor = as_constant(b); divisor && *divisor != 0) return multiply(a, constant(1 / *divisor));
    return multiply(a, atom(1.0 / to_expr(b)));
  }

  SumOfProducts dot(const Expr& e) {
    SumOfProducts result;
    for (int c = 0; c < e.arg(0).type().dims; ++c)
      result = add(std::move(result), multiply(expand(e.arg(0)[c]), expand(e.arg(1)[c])), 1);
    return result;
  }

  /// Addition formulas, where the argument is something of the query plus something of the key. Where it does not vary
  /// with both they would gain nothing, and exp(key - uniform) would overflow in parts that is finite as a whole.
  SumOfProducts function_of_sum(const Expr& e) {
    const SumOfProducts argument = expand(e.arg(0));
    SumOfProducts query;
    SumOfProducts key;
    bool query_varies = false;
    for (const auto& [monomial, coefficient] : argument.terms) {
      const Dependence varies = dependence(monomial);
      if (varies.mixed()) return atom(with_args(e, {to_expr(argument)}));
      query_varies |= varies.query;
      (varies.query_only() ? query : key).terms[monomial] = coefficient;
    }
    if (!query_varies || key.terms.empty()) return atom(with_args(e, {to_expr(argument)}));
    const Expr q = to_expr(query);
    const Expr k = to_expr(key);
    if (e.op() == Op::exp) return multiply(atom(exp(q)), atom(exp(k)));
    if (e.op() == Op::sin) return add(multiply(atom(sin(q)), atom(cos(k))), multiply(atom(cos(q)), atom(sin(k))), 1);
    return add(multiply(atom(cos(q)), atom(cos(k))), multiply(atom(sin(q)), atom(sin(k))), -1);
  }

  /// Arguments that are real numbers in their one writing, so that the atom has one, too.
  Expr with_canonical_args(const Expr& e) {
    std::vector<Expr> args = e.node().args;
    for (Expr& arg : args)
      if (arg.type() == ValueType{ScalarType::real, 1}) arg = to_expr(expand(arg));
    return args.empty() ? e : with_args(e, std::move(args));
  }

  std::size_t operations_ = 0;
};

Expr power(const Expr& base, int exponent) {
  Expr result = base;
  for (int i = 1; i < exponent; ++i) result = result * base;
  return result;
}

Expr term(const Monomial& monomial, const mpq_class& coefficient) {
  std::optional<Expr> result;
  for (const auto& [atom, exponent] : monomial) {
    const Expr factor = power(real(atom.expr()), exponent);
    result = result ? *result * factor : factor;
  }
  if (!result) return {coefficient.get_d()};
  if (coefficient == 1) return *result;
  return coefficient == -1 ? -*result : coefficient.get_d() * *result;
}

}  // namespace

Monomial product(const Monomial& a, const Monomial& b) {
  Monomial result;
  result.reserve(a.size() + b.size());
  auto next = b.begin();
  for (const Power& power : a) {
    while (next != b.end() && next->atom < power.atom) result.push_back(*next++);
    result.push_back(power);
    if (next != b.end() && next->atom == power.atom) result.back().exponent += (next++)->exponent;
  }
  result.insert(result.end(), next, b.end());
  return result;
}

Dependence dependence(const Monomial& monomial) {
  Dependence result;
  for (const Power& power : monomial) {
    const Dependence varies = dependence(power.atom.expr());
    result.query |= varies.query;
    result.key |= varies.key;
    result.pair |= varies.pair;
  }
  return result;
}

SumOfProducts sum(SumOfProducts a, const SumOfProducts& b, int sign) {
  for (const auto& [monomial, coefficient] : b.terms) {
    const auto [total, is_new] = a.terms.try_emplace(monomial, sign * coefficient);
    if (is_new) continue;
    total->second += sign * coefficient;
    if (total->second == 0) a.terms.erase(total);
  }
  return a;
}

SumOfProducts product(const SumOfProducts& a, const SumOfProducts& b) {
  SumOfProducts result;
  for (const auto& [left, left_coefficient] : a.terms)
    for (const auto& [right, right_coefficient] : b.terms) {
      const auto total = result.terms.try_emplace(product(left, right)).first;
      total->second += left_coefficient * right_coefficient;
      if (total->second == 0) result.terms.erase(total);
    }
  return result;
}

std::optional<SumOfProducts> expand(const Expr& expr) {
  try {
    return expand_simplified(simplify(expr, /*causal=*/false));
  } catch (const Error&) {  // longer than an expression may be
    return std::nullopt;
  }
}

std::optional<SumOfProducts> expand_simplified(const Expr& expr) {
  try {
    return Expander().expand(expr);
  } catch (const TooLarge&) {
    return std::nullopt;
  } catch (const Error&) {  // an atom that is longer written out than an expression may be
    return std::nullopt;
  }
}

Expr to_expr(const SumOfProducts& sum) {
  std::vector<Expr> addends;
  for (const auto& [monomial, coefficient] : sum.terms) addends.push_back(term(monomial, coefficient));
  return sum_of(addends);
}

}  // namespace flashbias::codegen
