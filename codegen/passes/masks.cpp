#include <string>
#include <utility>

#include "codegen/mask.hpp"
#include "codegen/passes/passes.hpp"

namespace flashbias::codegen {
namespace {

std::string reason(const MaskedBias& masked) {
  return "hides keys outside " + to_string(masked.visible) +
         ": tiles outside are skipped, and only tiles across its ends are masked" +
         (masked.visible.exact ? "" : "; what it hides inside is evaluated for each score");
}

}  // namespace

void take_off_masks(BiasForm& form) {
  std::vector<Addend> left;
  const bool holds = !may_cancel_mask(form.config.bias);
  for (const Addend& addend : form.addends) {
    const MaskedBias masked = take_off_mask(addend.value(), form.config.causal);
    if (!holds || !masked.visible.is_bounded() || !narrow(form.program.visible, masked.visible)) {
      left.push_back(addend);
      continue;
    }
    form.program.terms.push_back({addend.value(), Lowering::mask, reason(masked)});
    const std::size_t taken = left.size();
    collect_addends(masked.rest, false, left);
    for (std::size_t i = taken; i < left.size(); ++i) left[i].behind_mask = true;
  }
  form.addends = std::move(left);
}

}  // namespace flashbias::codegen
