#include "codegen/bias_program.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

#include "codegen/index_algebra.hpp"
#include "codegen/mask.hpp"
#include "codegen/operation_count.hpp"
#include "codegen/rewrite.hpp"
#include "codegen/separation.hpp"
#include "codegen/simplify.hpp"
#include "codegen/softmax_scale.hpp"
#include "flashbias/error.hpp"

namespace flashbias::codegen {
namespace {

/// Evaluating a diagonal costs about this many operations a score less than evaluating each score: reading shared
/// memory and adding is not free either.
constexpr int kOperationsOfADiagonalRead = 3;

/// Longest product of inputs that may be evaluated score by score instead of on the tensor cores.
constexpr int kMaxDotInRegisters = 16;

struct Addend {
  Expr expr;
  bool negative = false;

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
      if (!is_zero(expr)) addends.push_back({expr, negative});
  }
}

void add_to(Expr& sum, const Expr& addend) { sum = is_zero(sum) ? addend : sum + addend; }

Expr as_real(const Expr& expr) { return expr.type().scalar == ScalarType::real ? expr : real(expr); }

std::optional<FactorTerm> factor_term(const Expr& expr, DType dtype) {
  if (expr.op() != Op::dot) return std::nullopt;
  const Expr& a = expr.arg(0);
  const Expr& b = expr.arg(1);
  const auto of_kind = [&](const Expr& e, Op kind) {
    return e.op() == kind && e.node().dtype.value_or(dtype) == dtype;
  };
  if (of_kind(a, Op::query_input) && of_kind(b, Op::key_input))
    return FactorTerm{a.node().name, b.node().name, a.type().dims};
  if (of_kind(a, Op::key_input) && of_kind(b, Op::query_input))
    return FactorTerm{b.node().name, a.node().name, a.type().dims};
  return std::nullopt;
}

/// Products of inputs that stay outside the tensor cores, written out.
Expr write_out_dots(const Expr& expr) {
  return rewrite(expr, [](const Expr& e) -> Expr {
    if (e.op() != Op::dot) return e;
    const int dims = e.arg(0).type().dims;
    if (dims > kMaxDotInRegisters)
      throw Error(ErrorCode::invalid_config,
                  "bias: " + to_string(e) + " would be evaluated for each score, which is limited to " +
                      std::to_string(kMaxDotInRegisters) + " components, not " + std::to_string(dims) +
                      "; add the product as a term of its own, with factors of the dtype of q, so that it runs on the "
                      "tensor cores");
    Expr sum = e.arg(0)[0] * e.arg(1)[0];
    for (int c = 1; c < dims; ++c) sum = sum + e.arg(0)[c] * e.arg(1)[c];
    return sum;
  });
}

std::optional<int> rank_of(const Expr& expr) {
  const auto separation = separate(expr);
  return separation ? std::optional(separation->rank()) : std::nullopt;
}

bool has_op(const Expr& expr, Op op) {
  return any_node(expr, [op](const ExprNode& node) { return node.op == op; });
}

bool table_index_splits(const Expr& expr) {
  return !any_node(expr, [](const ExprNode& node) { return node.op == Op::table && !split_query_key(node.args[0]); });
}

class Lowerer {
 public:
  explicit Lowerer(const AttentionConfig& config) : config_(config) {}

  BiasProgram run() {
    std::vector<Addend> typed;
    collect_addends(config_.bias, false, typed);
    const std::vector<Addend> addends = take_masks(typed);
    causal_ = config_.causal || is_causal(program_.visible);
    for (const Addend& addend : addends) lower_typed(addend);
    if (program_.factors.empty())
      for (Expr* part : {&program_.kv_slope, &program_.key_column, &program_.diagonal, &program_.score})
        *part = in_units_of_scale(*part);
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
      collect_addends(masked.rest, false, left);
    }
    return left;
  }

  static std::string mask_reason(const MaskedBias& masked) {
    return "hides keys outside " + to_string(masked.visible) +
           ": tiles outside are skipped, and only tiles across its ends are masked" +
           (masked.visible.exact ? "" : "; what it hides inside is evaluated for each score");
  }

  /// An addend as typed; what its simplified form adds up to may take different ways.
  void lower_typed(const Addend& typed) {
    std::vector<Addend> parts;
    collect_addends(simplify(typed.expr, causal_), typed.negative, parts);
    for (const Addend& part : parts) {
      auto [lowering, reason] = lower(part);
      if (dependence(part.expr).mixed() && hides_keys(part.expr))
        reason += "; which keys it hides is known score by score only: it skips no tile";
      const Expr shown = parts.size() == 1 ? typed.value() : part.value();
      program_.terms.push_back(
          {shown, lowering, reason, lowering == Lowering::registers ? rank_of(shown) : std::nullopt});
    }
  }

  std::pair<Lowering, std::string> lower(const Addend& addend) {
    if (!addend.negative) {
      if (auto factors = factor_term(addend.expr, config_.dtype)) {
        const int steps = (factors->rank + 15) / 16;
        program_.factors.push_back(std::move(*factors));
        return {Lowering::factors,
                std::to_string(steps) + " more tensor-core step" + (steps == 1 ? "" : "s") + " of 16 into the scores"};
      }
    }
    const Expr value = as_real(write_out_dots(addend.value()));
    const Dependence varies = dependence(value);
    if (varies.query_only()) {
      add_to(program_.row_offset, value);
      return {Lowering::dropped, "the same for all keys of a query, so the softmax ignores it"};
    }
    if (varies.key_only() && !has_op(value, Op::kv_index)) return lower_to_key_column(value);
    if (const auto slope = kv_slope(value)) return lower_to_slope(value, simplify(*slope, false));
    if (varies.key_only()) return lower_to_key_column(value);
    if (constant_on_diagonals(value) && operation_count(value) > kOperationsOfADiagonalRead) {
      add_to(program_.diagonal, value);
      return {Lowering::diagonal, "depends on kv_index - q_index alone: one shared-memory read a score"};
    }
    return lower_to_score(value);
  }

  std::pair<Lowering, std::string> lower_to_key_column(const Expr& value) {
    add_to(program_.key_column, value);
    return {Lowering::key_column, "depends on the key alone: one number a key, one addition a score"};
  }

  std::pair<Lowering, std::string> lower_to_slope(const Expr& value, const Expr& slope) {
    add_to(program_.kv_slope, slope);
    add_to(program_.row_offset, substitute(value, Op::kv_index, kv_origin()));
    return {
        Lowering::key_column,
        "linear in kv_index: its query part is dropped; positions count from the block's most important key, so that "
        "f32 is exact at any length"};
  }

  std::pair<Lowering, std::string> lower_to_score(const Expr& value) {
    add_to(program_.score, value);
    if (has_op(value, Op::pair_input)) return {Lowering::dense, "one number a score, read from memory"};
    if (has_op(value, Op::table) && table_index_splits(value))
      return {Lowering::table, "the index is a query part plus a key part: one shared-memory read a score"};
    return {Lowering::registers, "evaluated in f32 for each score (about " + std::to_string(operation_count(value)) +
                                     " instructions); differences are exact at any magnitude"};
  }

  const AttentionConfig& config_;
  bool causal_ = false;
  BiasProgram program_;
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
