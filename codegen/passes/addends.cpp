#include <utility>

#include "codegen/passes/passes.hpp"
#include "codegen/ranges.hpp"
#include "codegen/simplify.hpp"

namespace flashbias::codegen {

void spread_ranges(BiasForm& form) {
  for (Addend& addend : form.addends) addend.expr = spread_declared_ranges(addend.expr);
}

void split_sum(BiasForm& form) {
  std::vector<Addend> addends;
  for (const Addend& addend : form.addends) collect_addends(addend.expr, addend.negative, addends);
  form.addends = std::move(addends);
}

void simplify_addends(BiasForm& form) {
  std::vector<Addend> simplified;
  for (const Addend& typed : form.addends) {
    std::vector<Addend> parts;
    collect_addends(simplify(typed.expr, form.is_causal()), typed.negative, parts);
    for (const Addend& part : parts) {
      const Expr expression = parts.size() == 1 ? typed.value() : part.value();
      form.program.terms.push_back({.expression = expression, .lowering = {}, .reason = {}});
      simplified.push_back(
          {.expr = real(part.value()), .behind_mask = typed.behind_mask, .terms = {form.program.terms.size() - 1}});
    }
  }
  form.addends = std::move(simplified);
}

}  // namespace flashbias::codegen
