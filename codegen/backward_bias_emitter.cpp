#include "codegen/backward_bias_emitter.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "codegen/gradients.hpp"
#include "codegen/index_algebra.hpp"
#include "codegen/rewrite.hpp"
#include "codegen/source_parts.hpp"
#include "codegen/terms_emitter.hpp"

namespace flashbias::codegen {
namespace {

/// An expression that is constant on diagonals, by kv_index - q_index.
const CudaScope kDiagonalScope{.q_index = "0", .kv_index = "difference", .pairs_are_read_ahead = false};

std::string terms_text(const char* type, const char* function, const char* comment, const char* index,
                       const std::vector<HoistedValue>& values) {
  const std::string parameters = fmt::format("(const Parameters& p, const Block& block{}{})",
                                             std::string_view(index).empty() ? "" : ", int ", index);
  if (values.empty())
    return fmt::format("using {0} = NoTerms;\n__device__ __forceinline__ {0} {1}{2} {{ return {{}}; }}\n\n", type,
                       function, parameters);
  return fmt::format(
      "// {}\nstruct {} {{\n{}}};\n\n__device__ __forceinline__ {} {}{} {{\n{} terms;\n{}return terms;\n}}\n\n",
      comment, type, members_of(values), type, function, parameters, type, assignments_of(values, kBackwardScope));
}

}  // namespace

BackwardBias::BackwardBias(const AttentionConfig& config, const BackwardProgram& program)
    : expression_(config.bias),
      factors_(program.factors),
      wanted_(gradient_names(config).inputs),
      sees_a_range_(program.visible.is_bounded()),
      has_exact_sums_(config.deterministic && !wanted_.empty()) {
  // Of each gradient its components, then {coefficient, index} of each read of a table.
  std::vector<Expr> derivatives;
  for (const InputGradient& gradient : program.gradients) {
    derivatives.insert(derivatives.end(), gradient.components.begin(), gradient.components.end());
    for (const TableRead& read : gradient.reads) {
      derivatives.push_back(read.coefficient);
      derivatives.push_back(is_as_typed(along_of(read.index)) ? Expr() : read.index);
    }
  }
  hoisted_ = hoist(program.bias, derivatives);
  auto next = hoisted_.values.begin();
  for (const InputGradient& gradient : program.gradients) {
    Emitted& emitted = gradients_.emplace_back();
    emitted.input = gradient.input;
    for (std::size_t i = 0; i < gradient.components.size(); ++i) emitted.components.push_back(*next++);
    for (const TableRead& read : gradient.reads) {
      const Along along = along_of(read.index);
      const Expr& coefficient = *next++;
      const Expr& index = *next++;
      emitted.reads.push_back({.coefficient = coefficient,
                               .index = is_as_typed(along) ? read.index : index,
                               .along = along,
                               .sum = fmt::format("sum{}_of_{}", emitted.reads.size(), gradient.input.name)});
    }
  }
}

BackwardBias::Along BackwardBias::along_of(const Expr& index) {
  if (dependence(index).query_only()) return Along::row;
  if (dependence(index).key_only()) return Along::column;
  return constant_on_diagonals(index) ? Along::diagonal : Along::runs;
}

bool BackwardBias::has_read(Along along) const {
  return std::ranges::any_of(gradients_, [=](const Emitted& gradient) {
    return std::ranges::find(gradient.reads, along, &SummedRead::along) != gradient.reads.end();
  });
}

std::string BackwardBias::bias() const {
  const auto function = [](const char* comment, const char* name, const char* parameters, const Expr& expr,
                           const CudaScope& scope = kBackwardScope) {
    const CudaExpression code = to_cuda(expr, scope);
    return fmt::format(
        "// {}\n__device__ __forceinline__ float {}(const Parameters& p, const Block& block, const HeadTerms& head, "
        "{}) {{\n{}return {};\n}}\n",
        comment, name, parameters, code.statements, code.value);
  };
  Expr score = hoisted_.bias.score;
  if (has_diagonal()) {
    const Expr diagonal = computed_value("diagonal", hoisted_.bias.diagonal);
    score = is_zero(score) ? diagonal : diagonal + score;
  }
  return fmt::format("constexpr bool kHasKeyBias = {};\nconstexpr bool kHasScoreBias = {};\n\n",
                     !is_zero(hoisted_.bias.key), !is_zero(score)) +
         function("The bias of a score is what its query adds, ...", "query_bias", "int q_index, int kv_origin",
                  hoisted_.bias.query) +
         function("... what its key adds ...", "key_bias", "int kv_index, int kv_origin", hoisted_.bias.key) +
         (has_diagonal() ? function("... what the difference of their positions, kv_index - q_index, adds ...",
                                    "diagonal_bias", "int difference", hoisted_.bias.diagonal, kDiagonalScope)
                         : "") +
         function("... and what both do together, to which that of its diagonal is added.", "score_bias",
                  "const QueryTerms& row, const KeyTerms& key, int q_index, int kv_index, float diagonal", score) +
         "\n";
}

std::string BackwardBias::includes() const {
  const auto has_gradient_of = [&](Op kind) {
    return std::ranges::any_of(gradients_, [=](const Emitted& gradient) { return gradient.input.kind == kind; });
  };
  std::string text = function_includes(expression_) + include_line("backward/terms.cuh") + include_line("block.cuh") +
                     include_line("ptx.cuh");  // kInfinity
  if (has_read(Along::diagonal)) text += include_line("backward/diagonal_addends.cuh");
  if (has_read(Along::runs)) text += include_line("backward/walked_addends.cuh");
  if (has_read(Along::column)) text += include_line("backward/column_sums.cuh");
  if (has_read(Along::diagonal) || has_read(Along::column)) text += include_line("backward/entry_sum.cuh");
  if (has_exact_sums_) text += include_line("backward/exact_gradient.cuh");
  if (has_gradient_of(Op::query_input) || has_gradient_of(Op::head_scalar) || has_read(Along::row))
    text += include_line("backward/sum_over_keys.cuh");
  if (has_gradient_of(Op::head_scalar)) text += include_line("backward/sum_of_warp.cuh");
  if (has_gradient_of(Op::key_input)) text += include_line("backward/sum_of_row.cuh");
  return text + "\n";
}

std::string BackwardBias::emit() const {
  return includes() + terms_text("HeadTerms", "head_terms", "What the bias needs of a head.", "", hoisted_.head) +
         terms_text("QueryTerms", "query_terms", "What the bias needs of a query.", "q_index", hoisted_.row) +
         terms_text("KeyTerms", "key_terms", "What the bias needs of a key.", "kv_index", hoisted_.key) + bias() +
         query_gradients() + key_gradients() + score_gradients();
}

std::string BackwardBias::gradient_of(const std::string& input) const {
  return has_exact_sums_ ? fmt::format("ExactGradient(p.{0}_gradient, p.workspace, p.{0}_sums, p.{0}_sums_end)", input)
                         : fmt::format("p.{}_gradient", input);
}

bool BackwardBias::is_wanted(const std::string& input) const {
  return std::ranges::find(wanted_, input, &InputSpec::name) != wanted_.end();
}

bool BackwardBias::wants_factors() const {
  return std::ranges::any_of(
      factors_, [&](const FactorTerm& term) { return is_wanted(term.q_input) || is_wanted(term.k_input); });
}

}  // namespace flashbias::codegen
