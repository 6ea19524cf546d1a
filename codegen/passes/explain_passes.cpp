#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "codegen/gradients.hpp"
#include "codegen/passes/passes.hpp"
#include "flashbias/plan.hpp"

namespace flashbias {
namespace {

using codegen::BiasForm;

/// A place of the kernel, or a value that it computes once, and its expression.
struct Line {
  std::string place;
  std::string expression;

  friend bool operator==(const Line&, const Line&) = default;
};

std::vector<Line> lines_of(const BiasForm& form) {
  std::vector<Line> lines;
  if (form.program.visible.is_bounded()) lines.push_back({"visible keys", to_string(form.program.visible)});
  for (const auto& [place, expression] : codegen::parts(form))
    lines.push_back({std::string(place), to_string(expression)});
  const auto values = [&](std::string_view owner, const std::vector<codegen::HoistedValue>& hoisted) {
    for (const auto& [name, meaning] : hoisted)
      lines.push_back({fmt::format("{}.{}", owner, name), to_string(meaning)});
  };
  values("head", form.program.hoisted.head);
  values("row", form.program.hoisted.row);
  values("key", form.program.hoisted.key);
  return lines;
}

std::string written(const std::vector<Line>& lines) {
  std::string text;
  for (const Line& line : lines) text += fmt::format("    {:<16}  {}\n", line.place, line.expression);
  return text.empty() ? "    nothing\n" : text;
}

nlohmann::ordered_json to_json(const std::vector<Line>& lines) {
  auto json = nlohmann::ordered_json::array();
  for (const Line& line : lines) json.push_back({{"place", line.place}, {"expression", line.expression}});
  return json;
}

/// The config whose bias goes through passes.
AttentionConfig passing(const KernelPlan& plan) {
  return plan.config.direction == Direction::forward ? plan.config : codegen::forward_of(plan.config);
}

/// What is to be known of the passes that follow, where that is not plain.
std::string_view note(const KernelPlan& plan) {
  if (plan.config.direction == Direction::forward) return {};
  return "passes of the forward pass, whose log-sum-exp the backward pass reads; how that takes scores apart is in "
         "`flashbias explain` without --passes";
}

}  // namespace

std::string explain_passes(const KernelPlan& plan) {
  const AttentionConfig config = passing(plan);
  std::vector<Line> before = lines_of(BiasForm(config));
  std::string text = note(plan).empty() ? "" : fmt::format("{}\n\n", note(plan));
  text += "bias as typed\n" + written(before);
  (void)codegen::run_passes(config, [&](const codegen::Pass& pass, const BiasForm& form) {
    std::vector<Line> after = lines_of(form);
    text += fmt::format("{}: {}\n{}", pass.name, pass.purpose, after == before ? "    as before\n" : written(after));
    before = std::move(after);
  });
  return text;
}

std::string explain_passes_json(const KernelPlan& plan) {
  const AttentionConfig config = passing(plan);
  std::vector<Line> before = lines_of(BiasForm(config));
  nlohmann::ordered_json json{{"config", to_string(plan.config)}};
  if (!note(plan).empty()) json["note"] = note(plan);
  json["bias"] = to_json(before);
  json["passes"] = nlohmann::ordered_json::array();
  (void)codegen::run_passes(config, [&](const codegen::Pass& pass, const BiasForm& form) {
    std::vector<Line> after = lines_of(form);
    json["passes"].push_back(
        {{"name", pass.name}, {"purpose", pass.purpose}, {"changed", after != before}, {"bias", to_json(after)}});
    before = std::move(after);
  });
  return json.dump(2);
}

}  // namespace flashbias
