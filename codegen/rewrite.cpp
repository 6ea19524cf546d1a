#include "codegen/rewrite.hpp"

#include <algorithm>
#include <unordered_map>
#include <utility>
#include <vector>

namespace flashbias::codegen {
namespace {

using Memo = std::unordered_map<const ExprNode*, Expr>;

Expr rewrite_once(const Expr& expr, const std::function<Expr(const Expr&)>& change, Memo& memo) {
  if (const auto found = memo.find(&expr.node()); found != memo.end()) return found->second;
  std::vector<Expr> args;
  args.reserve(expr.node().args.size());
  bool changed = false;
  for (const Expr& arg : expr.node().args) {
    args.push_back(rewrite_once(arg, change, memo));
    changed |= &args.back().node() != &arg.node();
  }
  Expr result = change(changed ? with_args(expr, std::move(args)) : expr);
  memo.emplace(&expr.node(), result);
  return result;
}

}  // namespace

Dependence dependence(const Expr& expr) {
  const ExprNode& node = expr.node();
  return {.query = node.reads_query, .key = node.reads_key, .pair = node.reads_pair};
}

bool is_zero(const Expr& expr) {
  return (expr.op() == Op::real_literal && expr.node().real == 0) ||
         (expr.op() == Op::integer_literal && expr.node().integer == 0);
}

Expr sum(const Expr& a, const Expr& b) {
  if (is_zero(a)) return b;
  return is_zero(b) ? a : a + b;
}

bool any_node(const Expr& expr, const std::function<bool(const ExprNode&)>& predicate) {
  return predicate(expr.node()) ||
         std::ranges::any_of(expr.node().args, [&](const Expr& arg) { return any_node(arg, predicate); });
}

Expr rewrite(const Expr& expr, const std::function<Expr(const Expr&)>& change) {
  Memo memo;
  return rewrite_once(expr, change, memo);
}

Expr with_args(const Expr& expr, std::vector<Expr> args) {
  ExprNode node = expr.node();
  node.args = std::move(args);
  return make_expr(std::move(node));
}

Expr strip_names(const Expr& expr) {
  return rewrite(expr, [](const Expr& e) { return e.op() == Op::named ? e.arg(0) : e; });
}

Expr substitute(const Expr& expr, Op leaf, const Expr& replacement) {
  return rewrite(expr, [&](const Expr& e) { return e.op() == leaf ? replacement : e; });
}

Expr computed_value(std::string name, const Expr& meaning) {
  ExprNode node;
  node.op = Op::named;
  node.type = meaning.type();
  node.args = {meaning};
  node.name = std::move(name);
  return make_expr(std::move(node));
}

}  // namespace flashbias::codegen
