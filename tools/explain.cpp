#include <fmt/format.h>

#include <CLI/App.hpp>
#include <memory>

#include "flashbias/plan.hpp"
#include "tools/config_flags.hpp"
#include "tools/verbs.hpp"

namespace flashbias::tools {
namespace {

struct ExplainOptions {
  ConfigFlags config;
  bool json = false;
  bool passes = false;
};

void explain_config(const ExplainOptions& options) {
  const auto decided = plan(options.config.config());
  const auto as_json = options.passes ? explain_passes_json : explain_json;
  const auto as_text = options.passes ? explain_passes : explain;
  fmt::print("{}", options.json ? as_json(decided) + '\n' : as_text(decided));
}

}  // namespace

void add_explain(CLI::App& app) {
  auto* verb =
      app.add_subcommand("explain", "Print the plan for a config: each term of the bias, its lowering and why");
  auto options = std::make_shared<ExplainOptions>();
  options->config.add_to(*verb);
  verb->add_flag("--json", options->json, "for programs");
  verb->add_flag("--passes", options->passes, "print the bias after each pass of the planner instead");
  verb->callback([options] { explain_config(*options); });
}

}  // namespace flashbias::tools
