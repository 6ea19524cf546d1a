#include "codegen/backward_program.hpp"

#include <optional>
#include <string>
#include <utility>

#include "codegen/addends.hpp"
#include "codegen/gradients.hpp"
#include "codegen/index_algebra.hpp"
#include "codegen/inputs.hpp"
#include "codegen/mask.hpp"
#include "codegen/ranges.hpp"
#include "codegen/rewrite.hpp"
#include "codegen/simplify.hpp"
#include "flashbias/error.hpp"

namespace flashbias::codegen {
namespace {

/// Numbers of a token that a thread can keep of its rows.
constexpr int kMaxDims = 16;

void require_few_dims(const Expr& bias, DType dtype) {
  for (const InputSpec& input : collect_inputs(bias, dtype))
    if ((input.kind == Op::query_input || input.kind == Op::key_input) && input.dims > kMaxDims)
      throw Error(ErrorCode::invalid_config,
                  "bias: '" + input.name + "' has " + std::to_string(input.dims) +
                      " numbers a token, and the backward pass keeps up to " + std::to_string(kMaxDims) +
                      " of an input in registers; more only of a product dot(query_input, key_input) that is a term of "
                      "its own, of the dtype of q");
}

bool reads(const Expr& expr, const std::string& input) {
  return any_node(expr, [&](const ExprNode& node) { return is_input(node.op) && node.name == input; });
}

/// Gradients of scores add up to 0 along a query: where they are summed up over all its keys, a derivative that is the
/// same for all of them counts for nothing.
Expr derivative_of(const Expr& bias, const InputComponent& component, Op kind, bool causal) {
  const Expr simple = write_out_dots(simplify(derivative(bias, component), causal));
  const bool sums_over_keys = kind == Op::query_input || kind == Op::head_scalar;
  return sums_over_keys && dependence(simple).query_only() ? Expr(0.0) : simple;
}

class Lowerer {
 public:
  explicit Lowerer(const AttentionConfig& config) : config_(config) {}

  BackwardProgram run() {
    std::vector<Addend> addends;
    collect_addends(spread_declared_ranges(config_.bias), false, addends);
    for (const Addend& addend : addends) addends_.push_back(addend.value());
    for (std::size_t i = 0; i < addends_.size(); ++i) lower(i);
    require_few_dims(sum_, config_.dtype);
    causal_ = config_.causal || is_causal(program_.visible);
    program_.bias = split_sides(simple(sum_));
    for (TermPlan& term : program_.terms)
      if (term.lowering == Lowering::registers) explain_sides(term);
    for (const InputSpec& input : gradient_names(config_).inputs)
      if (reads(sum_, input.name)) program_.gradients.push_back(gradient_of(input));
    return std::move(program_);
  }

 private:
  void lower(std::size_t index) {
    const Expr& addend = addends_[index];
    if (const auto factors = tensor_core_factors(index)) {
      program_.factors.push_back(*factors);
      program_.terms.push_back(
          {addend, Lowering::factors, "one more product into the scores, and one into each gradient"});
      return;
    }
    const MaskedBias masked = take_off_mask(addend, config_.causal);
    if (!may_cancel_ && masked.visible.is_bounded() && narrow(program_.visible, masked.visible)) {
      add(masked.rest);
      program_.terms.push_back(
          {addend, Lowering::mask, "hides keys outside " + to_string(masked.visible) + "; tiles outside are skipped"});
      return;
    }
    add(addend);
    program_.terms.push_back(
        {addend, Lowering::registers, "evaluated in f32 for each score, together with its derivatives"});
  }

  [[nodiscard]] Expr simple(const Expr& expr) const { return write_out_dots(simplify(expr, causal_)); }

  void explain_sides(TermPlan& term) const {
    const Expr value = simple(term.expression);
    const BiasSides alone = split_sides(value);
    if (is_zero(alone.score) && is_zero(alone.diagonal)) {
      term.lowering = Lowering::key_column;
      term.reason = "the key's part is added to its scores, the query's to what is subtracted for the log-sum-exp";
    } else if (!is_zero(program_.bias.diagonal) && constant_on_diagonals(value)) {
      term.lowering = Lowering::diagonal;
      term.reason = "one number a diagonal of each tile, read from shared memory for each score";
    }
  }

  void add(const Expr& addend) { sum_ = is_zero(sum_) ? addend : sum_ + addend; }

  /// Of a product of two inputs that nothing else in the bias reads.
  [[nodiscard]] std::optional<FactorTerm> tensor_core_factors(std::size_t index) const {
    auto factors = supplied_factors(strip_names(addends_[index]), config_.dtype);
    if (!factors || factors->dtype != config_.dtype) return std::nullopt;
    for (std::size_t i = 0; i < addends_.size(); ++i)
      if (i != index && (reads(addends_[i], factors->q_input) || reads(addends_[i], factors->k_input)))
        return std::nullopt;
    return factors;
  }

  [[nodiscard]] InputGradient gradient_of(const InputSpec& input) const {
    InputGradient gradient{.input = input, .components = {}, .reads = {}};
    if (input.kind == Op::table) {
      for (const TableRead& read : table_reads(sum_, input.name))
        if (!dependence(read.coefficient).query_only() || !dependence(read.index).query_only())
          gradient.reads.push_back({simple(read.coefficient), simplify(read.index, causal_)});
      return gradient;
    }
    for (int c = 0; c < (input.kind == Op::pair_input ? 1 : input.dims); ++c)
      gradient.components.push_back(derivative_of(sum_, {input.name, c}, input.kind, causal_));
    return gradient;
  }

  const AttentionConfig& config_;
  std::vector<Expr> addends_;
  BackwardProgram program_;
  Expr sum_;
  bool causal_ = false;
  bool may_cancel_ = may_cancel_mask(config_.bias);
};

}  // namespace

BackwardProgram lower_backward(const AttentionConfig& config) { return Lowerer(config).run(); }

}  // namespace flashbias::codegen
