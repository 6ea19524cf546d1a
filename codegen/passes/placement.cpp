#include "codegen/passes/placement.hpp"

#include <fmt/format.h>

#include <cmath>
#include <vector>

#include "codegen/cuda_expression.hpp"
#include "codegen/index_algebra.hpp"
#include "codegen/operand_order.hpp"
#include "codegen/operation_count.hpp"
#include "codegen/rewrite.hpp"
#include "codegen/simplify.hpp"

namespace flashbias::codegen {
namespace {

bool reads_kv_index(const Expr& expr) {
  return any_node(expr, [](const ExprNode& node) { return node.op == Op::kv_index; });
}

std::string place_supplied(const FactorTerm& factors, BiasForm& form) {
  const int steps = factors.steps();
  form.program.factors.push_back(factors);
  return fmt::format("{} more tensor-core step{} of 16 into the scores{}", steps, steps == 1 ? "" : "s",
                     factors.dtype == DType::f32 ? ", f32 factors split into three bf16 parts" : "");
}

std::string place_products(const Expr& value, const SplitFactors& split, BiasForm& form) {
  form.products.add(value);
  form.products_are_bounded &= std::isfinite(split.error);
  if (split.rank() == 0)
    return "a query part, which the softmax ignores, plus a key part: one number a key, one addition a score";
  const std::string error = std::isfinite(split.error)
                                ? fmt::format("off by at most {:.1e} over the declared ranges", split.error)
                                : "as exact as adding up the products in f32";
  return fmt::format("rank {}, computed in the kernel and split into {} {} parts: {} column{} of the tensor cores, {}",
                     split.rank(), split.parts, to_string(split.part), split.columns(), split.columns() == 1 ? "" : "s",
                     error);
}

std::string place_slope(const Expr& value, const Expr& slope, BiasForm& form) {
  form.kv_slope.add(with_ordered_operands(simplify(slope, false)));
  // Positions are compared before they meet the slope: what is left for the log-sum-exp stays as exact.
  const auto& compared = form.algebra.differences(value);
  const auto at_origin = [&](const Expr& part) {
    form.row_offset.add(with_ordered_operands(substitute(strip_names(part), Op::kv_index, kv_origin())));
  };
  at_origin(compared ? compared->differences : value);
  if (compared) at_origin(compared->query_only);
  if (compared) at_origin(compared->key_only);
  return "linear in kv_index: its query part is dropped; positions count from the block's most important key, so "
         "that f32 is exact at any length";
}

/// Where tables lie that are read once a score.
std::string table_reads(const Expr& score) {
  const auto reads = [&](bool shared) {
    return any_node(score, [&](const ExprNode& node) {
      return node.op == Op::table && (node.integer <= kMaxSharedTableEntries) == shared;
    });
  };
  if (!reads(/*shared=*/false)) return "one shared-memory read a score";
  return fmt::format("{}one read from memory a score of a table of more than {} entries",
                     reads(/*shared=*/true) ? "one shared-memory read a score, and " : "", kMaxSharedTableEntries);
}

std::string place_score(Lowering lowering, const TermAnalysis& analysis, BiasForm& form) {
  form.score.add(analysis.score);
  place_sides(analysis.query_only, analysis.key_only, form);
  if (lowering == Lowering::dense) return "one number a score, read from memory";
  if (lowering == Lowering::table)
    return fmt::format("the index is a query part plus a key part: {}", table_reads(analysis.score));
  return fmt::format("evaluated in f32 for each score (about {} instructions){}", operation_count(analysis.score),
                     analysis.compares_exactly ? "; differences are exact at any magnitude" : "");
}

}  // namespace

std::string place(const Expr& value, Lowering lowering, const TermAnalysis& analysis, BiasForm& form) {
  switch (lowering) {
    case Lowering::factors:
      return analysis.supplied ? place_supplied(*analysis.supplied, form)
                               : place_products(value, *analysis.split, form);
    case Lowering::key_column:
      return analysis.slope ? place_slope(value, *analysis.slope, form) : place_products(value, *analysis.split, form);
    case Lowering::diagonal:
      form.diagonal.add(with_ordered_operands(value));
      return "depends on kv_index - q_index alone: one shared-memory read a score";
    default:
      return place_score(lowering, analysis, form);
  }
}

void place_sides(const Expr& query_only, const Expr& key_only, BiasForm& form) {
  const Expr both = query_only + key_only;
  if (const auto slope = reads_kv_index(key_only) ? kv_slope(both) : std::nullopt) {
    static_cast<void>(place_slope(both, *slope, form));
    return;
  }
  form.row_offset.add(query_only);
  std::vector<Addend> parts;
  collect_addends(key_only, false, parts);
  for (const Addend& part : parts) {
    const Expr value = part.value();
    if (const auto slope = reads_kv_index(value) ? kv_slope(value) : std::nullopt)
      static_cast<void>(place_slope(value, *slope, form));
    else
      form.key_column.add(value);
  }
}

void explain_side(const Addend& addend, BiasForm& form) {
  const bool of_query = dependence(addend.expr).query_only();
  for (const std::size_t index : addend.terms) {
    TermPlan& term = form.program.terms[index];
    term.lowering = of_query ? Lowering::dropped : Lowering::key_column;
    term.reason = of_query ? "the same for all keys of a query, so the softmax ignores it"
                           : "depends on the key alone: one number a key, one addition a score";
  }
}

bool is_linear_in_keys(const Expr& value) { return reads_kv_index(value) && kv_slope(value).has_value(); }

}  // namespace flashbias::codegen
