#pragma once

#include <functional>
#include <string>

#include "flashbias/bias.hpp"

namespace flashbias::codegen {

/// What the value of an expression varies with, beyond the head and the batch item.
struct Dependence {
  bool query = false;
  bool key = false;
  bool pair = false;  ///< on the score itself: a pair input

  [[nodiscard]] bool uniform() const noexcept { return !query && !key && !pair; }
  [[nodiscard]] bool query_only() const noexcept { return !key && !pair; }
  [[nodiscard]] bool key_only() const noexcept { return !query && !pair; }
  /// Has to be computed for each score.
  [[nodiscard]] bool mixed() const noexcept { return !query_only() && !key_only(); }
};

[[nodiscard]] Dependence dependence(const Expr& expr);

/// Whether it is the literal 0, integer or real.
[[nodiscard]] bool is_zero(const Expr& expr);

/// a + b, where the literal 0 stands for nothing.
[[nodiscard]] Expr sum(const Expr& a, const Expr& b);

/// True where the predicate holds for a node of the expression.
[[nodiscard]] bool any_node(const Expr& expr, const std::function<bool(const ExprNode&)>& predicate);

/// Rebuilds the expression from its leaves up: `change` sees every node with its arguments already rewritten.
[[nodiscard]] Expr rewrite(const Expr& expr, const std::function<Expr(const Expr&)>& change);

/// The node with other arguments, its type kept.
[[nodiscard]] Expr with_args(const Expr& expr, std::vector<Expr> args);

/// Replaces each `named` node by what it stands for.
[[nodiscard]] Expr strip_names(const Expr& expr);

/// Replaces every leaf of one kind (say q_index).
[[nodiscard]] Expr substitute(const Expr& expr, Op leaf, const Expr& replacement);

/// A value that generated code has already computed and calls `name`; prints and emits as that.
[[nodiscard]] Expr computed_value(std::string name, const Expr& meaning);

}  // namespace flashbias::codegen
