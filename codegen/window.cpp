#include "codegen/window.hpp"

#include <numeric>
#include <vector>

#include "codegen/rewrite.hpp"

namespace flashbias::codegen {
namespace {

constexpr std::int64_t kLongestWindow = 1 << 16;

/// a * b, both positive, where that is no longer than a window.
std::optional<std::int64_t> product(std::int64_t a, const Expr& b) {
  if (b.op() != Op::integer_literal || b.node().integer < 1 || b.node().integer > kLongestWindow / a)
    return std::nullopt;
  return a * b.node().integer;
}

/// Tokens between two steps of an index divided by literals: d of `q_index() / d`.
std::optional<std::int64_t> tokens_a_step(const Expr& expr) {
  if (expr.op() == Op::q_index || expr.op() == Op::kv_index) return 1;
  if (expr.op() != Op::divide) return std::nullopt;
  const auto inner = tokens_a_step(expr.arg(0));
  return inner ? product(*inner, expr.arg(1)) : std::nullopt;
}

std::optional<std::int64_t> period(const Expr& expr);

std::optional<std::int64_t> common_period(const std::vector<Expr>& exprs) {
  std::int64_t common = 1;
  for (const Expr& expr : exprs) {
    const auto own = period(expr);
    if (!own) return std::nullopt;
    common = std::lcm(common, *own);
    if (common > kLongestWindow) return std::nullopt;
  }
  return common;
}

/// Tokens after which the expression repeats, both for queries and for keys; 1 where it is the same for all.
std::optional<std::int64_t> period(const Expr& expr) {
  if (dependence(expr).uniform()) return 1;
  if (expr.node().args.empty()) return std::nullopt;  // an index or an input of the tokens
  if (expr.op() == Op::remainder)
    if (const auto step = tokens_a_step(expr.arg(0))) return product(*step, expr.arg(1));
  return common_period(expr.node().args);
}

void collect_table_indices(const Expr& expr, std::vector<Expr>& indices) {
  if (expr.op() == Op::table) indices.push_back(expr.arg(0));
  for (const Expr& arg : expr.node().args) collect_table_indices(arg, indices);
}

}  // namespace

std::optional<std::int64_t> window_tokens(const Expr& bias) {
  std::vector<Expr> indices;
  collect_table_indices(bias, indices);
  const auto tokens = common_period(indices);
  if (!tokens || *tokens == 1) return std::nullopt;
  return tokens;
}

}  // namespace flashbias::codegen
