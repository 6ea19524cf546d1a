#include <algorithm>
#include <string>
#include <utility>

#include "codegen/excerpt.hpp"
#include "codegen/mask.hpp"
#include "codegen/passes/passes.hpp"
#include "codegen/passes/placement.hpp"
#include "codegen/rewrite.hpp"
#include "flashbias/error.hpp"

namespace flashbias::codegen {
namespace {

[[noreturn]] void refuse(const Expr& value, const Alternative& chosen) {
  throw Error(ErrorCode::invalid_config,
              "bias: " + excerpt(to_string(value)) + " cannot be lowered to " +
                  std::string(to_string(chosen.lowering)) + ": " + chosen.obstacle +
                  "; or add the product as a term of its own, with factors of the dtype of q");
}

[[noreturn]] void refuse_forced(Lowering lowering) {
  throw Error(ErrorCode::invalid_config,
              "lowering is " + std::string(to_string(lowering)) +
                  ", which no term of the bias can take; leave it out, or see `flashbias explain` for those that can");
}

/// The cheapest of the alternatives, or the one that the config forces.
const Alternative& choose(const Expr& value, const TermAnalysis& analysis, BiasForm& form) {
  const auto& offers = analysis.alternatives;
  const auto forced = std::ranges::find(offers, form.config.lowering, &Alternative::lowering);
  form.took_forced_lowering |= forced != offers.end();
  const Alternative& chosen = forced == offers.end() ? offers.front() : *forced;
  if (!chosen.obstacle.empty()) refuse(value, chosen);
  return chosen;
}

std::string remarks(const Addend& addend, bool is_pooled) {
  if (addend.is_joined) return "; together with the other polynomial terms";
  const bool scores_hide =
      !is_pooled && !addend.behind_mask && dependence(addend.expr).mixed() && hides_keys(addend.expr);
  return scores_hide ? "; which keys it hides is known score by score only: it skips no tile" : "";
}

void lower(const Addend& addend, BiasForm& form) {
  const Expr& value = addend.expr;
  const bool is_pooled = addend.analysis.has_value();
  const TermAnalysis analysis =
      is_pooled ? *addend.analysis : analyse_term(value, form.config, form.error_budget, form.algebra);
  TermPlan fate;
  fate.lowering = choose(value, analysis, form).lowering;
  if (analysis.separation && !analysis.slope) fate.separable_rank = analysis.separation->rank();
  fate.reason = place(value, fate.lowering, analysis, form) + remarks(addend, is_pooled);
  if (analysis.alternatives.size() > 1) fate.alternatives = analysis.alternatives;
  for (const std::size_t index : addend.terms) {
    fate.expression = form.program.terms[index].expression;
    form.program.terms[index] = fate;
  }
}

}  // namespace

void choose_lowerings(BiasForm& form) {
  for (const Addend& addend : std::exchange(form.addends, {})) lower(addend, form);
  if (form.config.lowering && !form.took_forced_lowering) refuse_forced(*form.config.lowering);
}

}  // namespace flashbias::codegen
