#include <fmt/format.h>

#include <CLI/App.hpp>
#include <memory>

#include "flashbias/plan.hpp"
#include "flashbias/source.hpp"
#include "tools/config_flags.hpp"
#include "tools/flag_checks.hpp"
#include "tools/output_file.hpp"
#include "tools/standard_streams.hpp"
#include "tools/verbs.hpp"

namespace flashbias::tools {
namespace {

struct EmitOptions {
  ConfigFlags config;
  bool no_format = false;
  std::string output;
};

std::string shown_source(const KernelSource& source, bool no_format) {
  if (no_format) return source.text;
  const auto formatted = format_source(source);
  if (!formatted.formatted) complain("unformatted source: " + formatted.why_not);
  return formatted.text;
}

void emit_config(const EmitOptions& options) {
  const auto text = shown_source(emit(plan(options.config.config())), options.no_format);
  if (options.output.empty()) {
    fmt::print("{}", text);
  } else {
    write_output_file(options.output, {text});
  }
}

}  // namespace

void add_emit(CLI::App& app) {
  auto* verb = app.add_subcommand("emit", "Print the CUDA source that a config becomes");
  auto options = std::make_shared<EmitOptions>();
  options->config.add_to(*verb);
  verb->add_flag("--no-format", options->no_format, "as the compiler gets it");
  verb->add_option("-o,--output", options->output, "file to write instead of standard output")->check(not_empty());
  verb->callback([options] { emit_config(*options); });
}

}  // namespace flashbias::tools
