#include "codegen/term_lowering.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "codegen/cost_model.hpp"
#include "codegen/error_bound.hpp"
#include "codegen/index_algebra.hpp"
#include "codegen/inputs.hpp"
#include "codegen/operand_order.hpp"
#include "codegen/rewrite.hpp"
#include "codegen/simplify.hpp"

namespace flashbias::codegen {
namespace {

/// Longest product of inputs that may be evaluated score by score instead of on the tensor cores.
constexpr int kMaxDotInRegisters = 16;
/// Factors of a key that one thread computes and splits.
constexpr int kMaxSplitRank = 16;

int longest_dot(const Expr& expr) {
  int longest = expr.op() == Op::dot ? expr.arg(0).type().dims : 0;
  for (const Expr& arg : expr.node().args) longest = std::max(longest, longest_dot(arg));
  return longest;
}

bool has_op(const Expr& expr, Op op) {
  return any_node(expr, [op](const ExprNode& node) { return node.op == op; });
}

bool table_index_splits(const Expr& expr) {
  return !any_node(expr, [](const ExprNode& node) { return node.op == Op::table && !split_query_key(node.args[0]); });
}

/// How a value that is evaluated for each score is called.
Lowering score_lowering(const Expr& score) {
  if (has_op(score, Op::pair_input)) return Lowering::dense;
  return has_op(score, Op::table) && table_index_splits(score) ? Lowering::table : Lowering::registers;
}

/// A difference (or sum) of a query and a key value.
bool is_comparison(const ExprNode& node) {
  if (node.op != Op::add && node.op != Op::subtract) return false;
  const Dependence a = dependence(node.args[0]);
  const Dependence b = dependence(node.args[1]);
  return !a.mixed() && !b.mixed() && (a.query || b.query) && (a.key || b.key);
}

/// A comparison somewhere, before products are taken: evaluating it as it stands loses less than adding up the products
/// of its values.
bool compares_query_and_key(const Expr& expr) { return any_node(expr, is_comparison); }

/// Whether what is compared is there without rounding: an input, or an integer that f32 holds.
bool compares_exactly(const Expr& expr) {
  const auto is_exact = [](const Expr& e) {
    return e.type().scalar == ScalarType::integer || (e.op() == Op::to_real && exact_in_f32(e.arg(0))) ||
           f32_value(e).error == 0;
  };
  return !any_node(expr, [&](const ExprNode& node) {
    return is_comparison(node) && !(is_exact(node.args[0]) && is_exact(node.args[1]));
  });
}

std::string names_of_inputs_without_range(const Expr& expr) {
  std::set<std::string> names;
  (void)rewrite(expr, [&](const Expr& e) {
    if (is_input(e.op()) && !e.node().range) names.insert(e.node().name);
    if (e.op() == Op::q_index && !e.node().range) names.insert("q_index");
    if (e.op() == Op::kv_index && !e.node().range) names.insert("kv_index");
    return e;
  });
  return fmt::format("{}", fmt::join(names, ", "));
}

class Analyser {
 public:
  Analyser(const Expr& value, const AttentionConfig& config, double error_budget, Algebra& algebra)
      : value_(value), config_(config), error_budget_(error_budget), algebra_(algebra), model_(cost_model(config)) {}

  TermAnalysis run() {
    term_.supplied = supplied_factors(value_, config_.dtype);
    term_.slope = kv_slope(value_);
    term_.separation = algebra_.separation(value_);
    term_.compares = compares_query_and_key(value_);
    term_.compares_exactly = term_.compares && compares_exactly(value_);
    as_key_column();
    in_registers();
    on_diagonals();
    as_factors();
    std::ranges::stable_sort(term_.alternatives, {}, [](const Alternative& alternative) {
      return std::pair(!alternative.obstacle.empty(), alternative.cost);
    });
    return std::move(term_);
  }

 private:
  void offer(Lowering lowering, double cost, std::string obstacle = {}) {
    term_.alternatives.push_back({lowering, cost, std::move(obstacle)});
  }

  void in_registers() {
    const int longest = longest_dot(value_);
    if (longest > kMaxDotInRegisters) {
      offer(Lowering::registers, 2.0 * longest,
            fmt::format("a product of {} components is too long to be evaluated for each score, which is limited to {}",
                        longest, kMaxDotInRegisters));
      return;
    }
    const bool is_sum_of_products = term_.separation && !term_.slope;
    if (!is_sum_of_products || (!use_differences() && !use_products()))
      term_.score = with_ordered_operands(write_out_dots(value_));
    const Lowering lowering = score_lowering(term_.score);
    const double cost = register_cost(term_.score, model_);
    offer(lowering, lowering == Lowering::dense ? cost + model_.global_read : cost);
  }

  bool use_differences() {
    if (term_.supplied) return false;
    const auto& form = algebra_.differences(value_);
    if (!form) return false;
    term_.score = form->differences;
    term_.query_only = form->query_only;
    term_.key_only = form->key_only;
    term_.compares = term_.compares_exactly = term_.in_differences = true;
    return true;
  }

  /// Products of a row's and a key's values, where these are exact enough or what the score is made of anyway.
  bool use_products() {
    const bool exact = error_of_products(*term_.separation) <= error_budget_;
    if (!exact && term_.compares) return false;
    std::optional<Expr> sum;
    for (const auto& [query, key] : term_.separation->factors) sum = sum ? *sum + query * key : query * key;
    term_.score = sum.value_or(Expr());
    term_.query_only = term_.separation->query_only;
    term_.key_only = term_.separation->key_only;
    term_.compares_exactly = false;
    return true;
  }

  void on_diagonals() {
    if (constant_on_diagonals(value_)) offer(Lowering::diagonal, model_.diagonal_read);
  }

  void as_key_column() {
    if (term_.slope) offer(Lowering::key_column, model_.add);
  }

  void as_factors() {
    if (!term_.separation || term_.slope) return;
    if (term_.separation->rank() == 0) {
      term_.split = split_within(*term_.separation, error_budget_);
      offer(Lowering::key_column, model_.add, term_.split ? "" : why_not_split());
      return;
    }
    if (!term_.supplied || term_.supplied->dtype == DType::f32) split();
    const double split_cost = factor_cost(term_.split ? *term_.split : split_for_cost(), model_);
    if (term_.supplied) {
      const double supplied_cost = factor_cost(*term_.supplied, config_, model_);
      if (!term_.split || supplied_cost < split_cost) return offer(Lowering::factors, supplied_cost);
      term_.supplied.reset();
    }
    offer(Lowering::factors, split_cost, term_.split ? "" : why_not_split());
  }

  void split() {
    if (term_.separation->rank() > kMaxSplitRank) return;
    term_.split = split_within(*term_.separation, error_budget_);
    // Without ranges nothing is bounded; but where query and key values are not compared, adding up products is what
    // evaluating each score does, too.
    const bool bounded = std::isfinite(f32_value(value_).magnitude());
    if (!bounded && !term_.compares) term_.split = split_like_f32(*term_.separation);
  }

  /// What the factors would be if they were exact.
  [[nodiscard]] SplitFactors split_for_cost() const {
    return {.factors = term_.separation->factors, .part = DType::f16, .parts = 2, .error = 0};
  }

  [[nodiscard]] std::string why_not_split() const {
    const std::string undeclared = names_of_inputs_without_range(value_);
    const std::string rank = fmt::format("rank {}", term_.separation->rank());
    if (term_.separation->rank() > kMaxSplitRank)
      return fmt::format("{}, more than the {} factors that a kernel computes", rank, kMaxSplitRank);
    if (!undeclared.empty())
      return fmt::format("{}, but nothing bounds its error: declare the ranges of {}, as in .range(name, -1, 1)", rank,
                         undeclared);
    return fmt::format("{}, but over the declared ranges a score could be off by more than {:.1e}", rank,
                       error_budget_);
  }

  const Expr& value_;
  const AttentionConfig& config_;
  double error_budget_;
  Algebra& algebra_;
  CostModel model_;
  TermAnalysis term_;
};

}  // namespace

std::optional<FactorTerm> supplied_factors(const Expr& expr, DType dtype_of_q) {
  if (expr.op() != Op::dot) return std::nullopt;
  const bool in_order = expr.arg(0).op() == Op::query_input;
  const ExprNode& query = expr.arg(in_order ? 0 : 1).node();
  const ExprNode& key = expr.arg(in_order ? 1 : 0).node();
  const DType dtype = query.dtype.value_or(dtype_of_q);
  if (query.op != Op::query_input || key.op != Op::key_input || key.dtype.value_or(dtype_of_q) != dtype ||
      !is_real(dtype))
    return std::nullopt;
  return FactorTerm{query.name, key.name, query.type.dims, dtype};
}

Expr write_out_dots(const Expr& expr) {
  return rewrite(expr, [](const Expr& e) -> Expr {
    if (e.op() != Op::dot) return e;
    Expr sum = e.arg(0)[0] * e.arg(1)[0];
    for (int c = 1; c < e.arg(0).type().dims; ++c) sum = sum + e.arg(0)[c] * e.arg(1)[c];
    return sum;
  });
}

TermAnalysis analyse_term(const Expr& value, const AttentionConfig& config, double error_budget, Algebra& algebra) {
  return Analyser(value, config, error_budget, algebra).run();
}

}  // namespace flashbias::codegen
