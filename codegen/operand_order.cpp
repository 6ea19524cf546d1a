#include "codegen/operand_order.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "codegen/rewrite.hpp"

namespace flashbias::codegen {
namespace {

bool is_commutative(Op op) {
  switch (op) {
    case Op::add:
    case Op::minimum:
    case Op::maximum:
    case Op::equal:
    case Op::logical_and:
    case Op::logical_or:
    case Op::dot:
      return true;
    default:
      return false;
  }
}

void collect_factors(const Expr& expr, std::vector<Expr>& factors, bool& negative) {
  if (expr.op() == Op::multiply) {
    collect_factors(expr.arg(0), factors, negative);
    collect_factors(expr.arg(1), factors, negative);
  } else if (expr.op() == Op::negate) {
    negative = !negative;
    collect_factors(expr.arg(0), factors, negative);
  } else {
    factors.push_back(expr);
  }
}

/// What varies least first, so that products of what is computed ahead stay together.
int rank(const Expr& expr) {
  const Dependence varies = dependence(expr);
  if (varies.mixed()) return 3;
  return varies.uniform() ? 0 : varies.query_only() ? 1 : 2;
}

/// By rank, then by text, which is made only of those that need it.
struct Key {
  Expr expr;
  int rank = 0;
  mutable std::optional<std::string> text{};

  [[nodiscard]] bool operator<(const Key& other) const {
    if (rank != other.rank) return rank < other.rank;
    return !equal(expr, other.expr) && written() < other.written();
  }
  [[nodiscard]] const std::string& written() const {
    if (!text) text = to_string(expr);
    return *text;
  }
};

void sort(std::vector<Expr>& exprs) {
  std::vector<Key> keys;
  for (const Expr& expr : exprs) keys.push_back({expr, rank(expr)});
  std::stable_sort(keys.begin(), keys.end());
  for (std::size_t i = 0; i < exprs.size(); ++i) exprs[i] = keys[i].expr;
}

Expr ordered_product(const Expr& product) {
  std::vector<Expr> factors;
  bool negative = false;
  collect_factors(product, factors, negative);
  sort(factors);
  Expr result = factors.front();
  if (negative) result = -result;
  for (std::size_t i = 1; i < factors.size(); ++i) result = result * factors[i];
  return result;
}

}  // namespace

Expr with_ordered_operands(const Expr& expr) {
  return rewrite(expr, [](const Expr& e) {
    if (e.op() == Op::multiply && e.type().dims == 1) return ordered_product(e);
    if (!is_commutative(e.op())) return e;
    std::vector<Expr> operands = e.node().args;
    sort(operands);
    return with_args(e, std::move(operands));
  });
}

}  // namespace flashbias::codegen
