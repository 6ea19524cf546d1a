#include <fmt/format.h>

#include <string>
#include <string_view>
#include <vector>

#include "codegen/passes/passes.hpp"
#include "flashbias/plan.hpp"

namespace flashbias {
namespace {

using codegen::BiasForm;

std::string written(const BiasForm& form) {
  std::string text;
  const auto line = [&](std::string_view place, const std::string& expression) {
    text += fmt::format("    {:<16}  {}\n", place, expression);
  };
  if (form.program.visible.is_bounded()) line("visible keys", to_string(form.program.visible));
  for (const auto& [place, expression] : codegen::parts(form)) line(place, to_string(expression));
  const auto values = [&](std::string_view owner, const std::vector<codegen::HoistedValue>& hoisted) {
    for (const auto& [name, meaning] : hoisted) line(fmt::format("{}.{}", owner, name), to_string(meaning));
  };
  values("head", form.program.hoisted.head);
  values("row", form.program.hoisted.row);
  values("key", form.program.hoisted.key);
  return text.empty() ? "    nothing\n" : text;
}

}  // namespace

std::string explain_passes(const KernelPlan& plan) {
  std::string before = written(BiasForm(plan.config));
  std::string text = "bias as typed\n" + before;
  (void)codegen::run_passes(plan.config, [&](const codegen::Pass& pass, const BiasForm& form) {
    std::string after = written(form);
    text += fmt::format("{}: {}\n{}", pass.name, pass.purpose, after == before ? "    as before\n" : after);
    before = std::move(after);
  });
  return text;
}

}  // namespace flashbias
