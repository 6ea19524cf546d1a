#include "codegen/bias_program.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "codegen/differences.hpp"
#include "codegen/error_bound.hpp"
#include "codegen/excerpt.hpp"
#include "codegen/index_algebra.hpp"
#include "codegen/mask.hpp"
#include "codegen/operand_order.hpp"
#include "codegen/operation_count.hpp"
#include "codegen/ranges.hpp"
#include "codegen/rewrite.hpp"
#include "codegen/simplify.hpp"
#include "codegen/softmax_scale.hpp"
#include "codegen/sum_of_products.hpp"
#include "flashbias/error.hpp"

namespace flashbias::codegen {
namespace {

struct Addend {
  Expr expr;
  bool negative = false;
  bool behind_mask = false;  ///< what a mask left of an addend as typed

  [[nodiscard]] Expr value() const { return negative ? -expr : expr; }
};

/// The addends of a sum. A named bias counts as one addend, unless its own addends differ in kind, which shows later.
void collect_addends(const Expr& expr, bool negative, std::vector<Addend>& addends) {
  switch (expr.op()) {
    case Op::add:
    case Op::subtract:
      collect_addends(expr.arg(0), negative, addends);
      collect_addends(expr.arg(1), negative != (expr.op() == Op::subtract), addends);
      return;
    case Op::negate:
      collect_addends(expr.arg(0), !negative, addends);
      return;
    default:
      if (!is_zero(expr)) addends.push_back({.expr = expr, .negative = negative});
  }
}

Expr as_real(const Expr& expr) { return expr.type().scalar == ScalarType::real ? expr : real(expr); }

bool has_op(const Expr& expr, Op op) {
  return any_node(expr, [op](const ExprNode& node) { return node.op == op; });
}

/// Addends in an order of their own, so that one bias has one kernel however it was written.
class CanonicalSum {
 public:
  void add(const Expr& addend) {
    if (!is_zero(addend)) addends_.emplace(to_string(addend), addend);
  }
  [[nodiscard]] Expr total() const {
    std::optional<Expr> sum;
    for (const auto& [text, addend] : addends_) sum = sum ? *sum + addend : addend;
    return sum.value_or(Expr());
  }

 private:
  std::multimap<std::string, Expr> addends_;
};

constexpr const char* kDroppedReason = "the same for all keys of a query, so the softmax ignores it";
constexpr const char* kKeyReason = "depends on the key alone: one number a key, one addition a score";

class Lowerer {
 public:
  explicit Lowerer(const AttentionConfig& config) : config_(config) {}

  BiasProgram run() {
    std::vector<Addend> typed;
    collect_addends(spread_declared_ranges(config_.bias), false, typed);
    const std::vector<Addend> addends = take_masks(typed);
    causal_ = config_.causal || is_causal(program_.visible);
    for (const Addend& addend : addends) collect_parts(addend);
    lower_polynomials(/*bounded=*/true);
    lower_polynomials(/*bounded=*/false);
    for (Part& part : parts_)
      if (part.term.reason.empty()) lower(part);
    for (Part& part : parts_) program_.terms.push_back(std::move(part.term));
    if (config_.lowering && !forced_somewhere_) refuse_forced_lowering();
    split_products();
    program_.row_offset = row_offset_.total();
    program_.kv_slope = kv_slope_.total();
    program_.key_column = key_column_.total();
    program_.diagonal = diagonal_.total();
    program_.score = score_.total();
    std::ranges::sort(program_.factors, {}, &FactorTerm::q_input);
    if (program_.factors.empty()) measure_in_scale();
    return std::move(program_);
  }

 private:
  /// Takes masks off the addends and returns what is left of them.
  std::vector<Addend> take_masks(const std::vector<Addend>& typed) {
    std::vector<Addend> left;
    const bool holds = !may_cancel_mask(config_.bias);
    for (const Addend& addend : typed) {
      const MaskedBias masked = take_off_mask(addend.value(), config_.causal);
      if (!holds || !masked.visible.is_bounded() || !narrow(program_.visible, masked.visible)) {
        left.push_back(addend);
        continue;
      }
      program_.terms.push_back({addend.value(), Lowering::mask, mask_reason(masked)});
      const std::size_t taken = left.size();
      collect_addends(masked.rest, false, left);
      for (std::size_t i = taken; i < left.size(); ++i) left[i].behind_mask = true;
    }
    return left;
  }

  static std::string mask_reason(const MaskedBias& masked) {
    return "hides keys outside " + to_string(masked.visible) +
           ": tiles outside are skipped, and only tiles across its ends are masked" +
           (masked.visible.exact ? "" : "; what it hides inside is evaluated for each score");
  }

  /// A part of an addend as typed, and its place in the plan.
  struct Part {
    Expr value;
    TermPlan term;  ///< decided once it has a reason
    bool behind_mask = false;
  };

  /// An addend as typed; what its simplified form adds up to may take different ways.
  void collect_parts(const Addend& typed) {
    std::vector<Addend> parts;
    collect_addends(simplify(typed.expr, causal_), typed.negative, parts);
    for (const Addend& part : parts)
      parts_.push_back(
          {.value = as_real(part.value()),
           .term = {.expression = parts.size() == 1 ? typed.value() : part.value(), .lowering = {}, .reason = {}},
           .behind_mask = typed.behind_mask});
  }

  /// Sums of products, those whose declared ranges bound them and the others, are lowered together: how they were
  /// written decides nothing, and their rank may be less than that of their terms.
  void lower_polynomials(bool bounded) {
    std::vector<Part*> members;
    CanonicalSum sum;
    bool mixed = false;
    for (Part& part : parts_) {
      if (!part.term.reason.empty() || !separate(part.value) || supplied_factors(part.value, config_.dtype)) continue;
      if (std::isfinite(f32_value(part.value).magnitude()) != bounded) continue;
      if (!bounded && kv_slope(part.value) && !dependence(part.value).query_only()) continue;
      members.push_back(&part);
      sum.add(part.value);
      mixed |= dependence(part.value).mixed();
    }
    const auto written_out = expand(sum.total());
    if (members.empty() || !written_out || (!mixed && !bounded)) return;
    const Expr value = to_expr(*written_out);
    if (!mixed) return lower_separate_sides(value, members);
    TermAnalysis analysis = analyse_term(value, config_, budget_);
    const bool exact = bounded ? analysis.separation && (analysis.split || analysis.compares || analysis.slope ||
                                                         error_of_products(*analysis.separation) <= budget_)
                               : analysis.compares;
    if (!exact) {
      if (bounded) budget_ = 0;  // errors of terms that are exact alone might add up
      return;
    }
    TermPlan term;
    choose(value, std::move(analysis), term);
    for (Part* member : members) {
      if (!dependence(member->value).mixed()) {
        explain_side(*member);
        continue;
      }
      const Expr expression = member->term.expression;
      member->term = term;
      member->term.expression = expression;
      if (members.size() > 1) member->term.reason += "; together with the other polynomial terms";
    }
  }

  /// Terms of which none varies with both query and key.
  void lower_separate_sides(const Expr& value, const std::vector<Part*>& members) {
    const auto separation = separate(value);
    if (!separation || f32_value(separation->key_only).error > budget_) return;
    lower_sides(separation->query_only, separation->key_only);
    for (Part* member : members) explain_side(*member);
  }

  static void explain_side(Part& part) {
    const bool of_query = dependence(part.value).query_only();
    part.term.lowering = of_query ? Lowering::dropped : Lowering::key_column;
    part.term.reason = of_query ? kDroppedReason : kKeyReason;
  }

  void lower(Part& part) {
    TermPlan& term = part.term;
    const Dependence varies = dependence(part.value);
    const bool linear = has_op(part.value, Op::kv_index) && kv_slope(part.value);
    if (varies.query_only()) {
      row_offset_.add(with_ordered_operands(write_out_dots(part.value)));
      explain_side(part);
    } else if (varies.key_only() && !linear) {
      key_column_.add(with_ordered_operands(write_out_dots(part.value)));
      explain_side(part);
    } else {
      choose(part.value, analyse_term(part.value, config_, budget_), term);
    }
    if (!part.behind_mask && varies.mixed() && hides_keys(part.value))
      term.reason += "; which keys it hides is known score by score only: it skips no tile";
  }

  void choose(const Expr& value, TermAnalysis analysis, TermPlan& term) {
    const std::vector<Alternative> offers = analysis.alternatives;
    const auto forced =
        std::ranges::find_if(offers, [&](const Alternative& offer) { return offer.lowering == config_.lowering; });
    forced_somewhere_ |= forced != offers.end();
    const Alternative& chosen = forced == offers.end() ? offers.front() : *forced;
    if (!chosen.obstacle.empty()) refuse(value, chosen);
    term.lowering = chosen.lowering;
    if (analysis.separation && !analysis.slope) term.separable_rank = analysis.separation->rank();
    term.reason = execute(value, chosen.lowering, analysis);
    if (offers.size() > 1) term.alternatives = offers;
  }

  [[noreturn]] static void refuse(const Expr& value, const Alternative& chosen) {
    throw Error(ErrorCode::invalid_config,
                "bias: " + excerpt(to_string(value)) + " cannot be lowered to " +
                    std::string(to_string(chosen.lowering)) + ": " + chosen.obstacle +
                    "; or add the product as a term of its own, with factors of the dtype of q");
  }

  [[noreturn]] void refuse_forced_lowering() const {
    throw Error(
        ErrorCode::invalid_config,
        "lowering is " + std::string(to_string(*config_.lowering)) +
            ", which no term of the bias can take; leave it out, or see `flashbias explain` for those that can");
  }

  /// Enters the term into the program; returns what it does.
  std::string execute(const Expr& value, Lowering lowering, TermAnalysis& analysis) {
    switch (lowering) {
      case Lowering::factors:
        return analysis.supplied ? run_supplied(*analysis.supplied) : run_split(value, analysis);
      case Lowering::key_column:
        return analysis.slope ? run_slope(value, simplify(*analysis.slope, false)) : run_split(value, analysis);
      case Lowering::diagonal:
        diagonal_.add(with_ordered_operands(value));
        return "depends on kv_index - q_index alone: one shared-memory read a score";
      default:
        return run_score(lowering, analysis);
    }
  }

  std::string run_supplied(const FactorTerm& factors) {
    const int steps = factors.steps();
    program_.factors.push_back(factors);
    return fmt::format("{} more tensor-core step{} of 16 into the scores{}", steps, steps == 1 ? "" : "s",
                       factors.dtype == DType::f32 ? ", f32 factors split into three bf16 parts" : "");
  }

  std::string run_split(const Expr& value, const TermAnalysis& analysis) {
    const SplitFactors& split = *analysis.split;
    products_.add(value);
    products_are_bounded_ &= std::isfinite(split.error);
    if (split.rank() == 0)
      return "a query part, which the softmax ignores, plus a key part: one number a key, one addition a score";
    const std::string error = std::isfinite(split.error)
                                  ? fmt::format("off by at most {:.1e} over the declared ranges", split.error)
                                  : "as exact as adding up the products in f32";
    return fmt::format(
        "rank {}, computed in the kernel and split into {} {} parts: {} column{} of the tensor cores, {}", split.rank(),
        split.parts, to_string(split.part), split.columns(), split.columns() == 1 ? "" : "s", error);
  }

  std::string run_slope(const Expr& typed, const Expr& slope) {
    kv_slope_.add(with_ordered_operands(slope));
    // Positions are compared before they meet the slope: what is left for the log-sum-exp stays as exact.
    const auto form = in_differences(typed);
    const auto at_origin = [&](const Expr& value) {
      row_offset_.add(with_ordered_operands(substitute(strip_names(value), Op::kv_index, kv_origin())));
    };
    at_origin(form ? form->differences : typed);
    if (form) at_origin(form->query_only);
    if (form) at_origin(form->key_only);
    return "linear in kv_index: its query part is dropped; positions count from the block's most important key, so "
           "that f32 is exact at any length";
  }

  std::string run_score(Lowering lowering, const TermAnalysis& analysis) {
    score_.add(analysis.score);
    lower_sides(analysis.query_only, analysis.key_only);
    if (lowering == Lowering::dense) return "one number a score, read from memory";
    if (lowering == Lowering::table) return "the index is a query part plus a key part: one shared-memory read a score";
    return fmt::format("evaluated in f32 for each score (about {} instructions){}", operation_count(analysis.score),
                       analysis.compares ? "; differences are exact at any magnitude" : "");
  }

  /// All that runs as products of factors, as one sum.
  void split_products() {
    const Expr sum = products_.total();
    if (is_zero(sum)) return;
    const auto separation = separate(sum);
    if (!separation) throw Error(ErrorCode::invalid_config, "bias: its products are too many to be joined");
    auto split = products_are_bounded_ ? split_within(*separation, budget_) : std::nullopt;
    if (!split) split = split_like_f32(*separation);
    lower_sides(separation->query_only, separation->key_only);
    if (split->rank() > 0) program_.split_factors = *std::move(split);
  }

  /// What depends on the query alone, and what depends on the key alone.
  void lower_sides(const Expr& query_only, const Expr& key_only) {
    const Expr both = query_only + key_only;
    const auto slope = has_op(key_only, Op::kv_index) ? kv_slope(both) : std::nullopt;
    if (slope) {
      static_cast<void>(run_slope(both, simplify(*slope, false)));
      return;
    }
    row_offset_.add(query_only);
    std::vector<Addend> parts;
    collect_addends(key_only, false, parts);
    for (const Addend& part : parts) {
      const Expr value = part.value();
      const auto part_slope = has_op(value, Op::kv_index) ? kv_slope(value) : std::nullopt;
      if (part_slope)
        static_cast<void>(run_slope(value, simplify(*part_slope, false)));
      else
        key_column_.add(value);
    }
  }

  void measure_in_scale() {
    for (Expr* part : {&program_.kv_slope, &program_.key_column, &program_.diagonal, &program_.score})
      *part = in_units_of_scale(*part);
    if (!program_.split_factors) return;
    for (Separation::Factor& factor : program_.split_factors->factors) factor.query = in_units_of_scale(factor.query);
  }

  const AttentionConfig& config_;
  bool causal_ = false;
  bool forced_somewhere_ = false;
  BiasProgram program_;
  CanonicalSum row_offset_, kv_slope_, key_column_, diagonal_, score_, products_;
  bool products_are_bounded_ = true;
  /// A log-sum-exp is in f32 whatever the output is.
  double budget_ = score_error_budget(config_.log_sum_exp ? DType::f16 : config_.dtype);
  std::vector<Part> parts_;
};

bool surely_finite(const Expr& expr) {
  return !any_node(expr, [](const ExprNode& node) {
    switch (node.op) {
      case Op::real_literal:
        return !(node.real - node.real == 0);
      case Op::boolean_literal:
      case Op::integer_literal:
      case Op::q_index:
      case Op::kv_index:
      case Op::q_length:
      case Op::kv_length:
      case Op::head:
      case Op::batch:
      case Op::negate:
      case Op::add:
      case Op::subtract:
      case Op::multiply:
      case Op::minimum:
      case Op::maximum:
      case Op::absolute:
      case Op::to_real:
      case Op::named:
        return false;
      default:
        return true;
    }
  });
}

}  // namespace

int BiasProgram::factor_steps() const {
  int steps = split_factors ? split_factors->steps() : 0;
  for (const FactorTerm& each : factors) steps += each.steps();
  return steps;
}
bool BiasProgram::has_kv_slope() const { return !is_zero(kv_slope); }
bool BiasProgram::has_key_column() const { return has_kv_slope() || !is_zero(key_column); }
bool BiasProgram::has_diagonal() const { return !is_zero(diagonal); }
bool BiasProgram::has_score() const { return !is_zero(score); }
bool BiasProgram::needs_row_offset(const AttentionConfig& config) const {
  return !is_zero(row_offset) && (config.log_sum_exp || !surely_finite(row_offset));
}

BiasProgram lower_bias(const AttentionConfig& config) { return Lowerer(config).run(); }

Expr kv_origin() { return computed_value("kv_origin", bias::kv_index()); }

}  // namespace flashbias::codegen
