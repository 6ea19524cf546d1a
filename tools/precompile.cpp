#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Error.hpp>
#include <CLI/Validators.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "tools/compile_all.hpp"
#include "tools/manifest.hpp"
#include "tools/output.hpp"
#include "tools/progress.hpp"
#include "tools/verbs.hpp"

namespace flashbias::tools {
namespace {

struct Options {
  std::string manifest;
  std::vector<std::string> archs;
  std::string cache;
  int threads = 0;
  bool json = false;
};

/// One kernel of the manifest for one architecture.
struct Target {
  std::string name;
  AttentionConfig config;

  [[nodiscard]] std::string label() const { return fmt::format("{} ({})", name, to_string(config.arch)); }
};

std::vector<Target> targets(const Options& options) {
  const auto entries = read_manifest(options.manifest);
  std::vector<Target> targets;
  for (const auto& arch : options.archs) {
    for (const auto& entry : entries) {
      targets.push_back({.name = entry.name, .config = entry.config});
      targets.back().config.arch = parse_arch(arch);
    }
  }
  return targets;
}

void print_outcomes(const std::vector<Target>& targets, const std::vector<CompileOutcome>& outcomes) {
  for (std::size_t i = 0; i < targets.size(); ++i) {
    if (!outcomes[i].kernel) continue;
    fmt::print("{}  {:>7}  {}\n", short_key(outcomes[i].kernel->key), compile_time_text(*outcomes[i].kernel),
               targets[i].label());
    fmt::print("              {}\n", to_string(outcomes[i].kernel->plan.config));
  }
}

void print_outcomes_json(const std::vector<Target>& targets, const std::vector<CompileOutcome>& outcomes) {
  auto kernels = nlohmann::ordered_json::array();
  for (std::size_t i = 0; i < targets.size(); ++i) {
    nlohmann::ordered_json kernel{{"name", targets[i].name}};
    if (outcomes[i].kernel) {
      kernel.update(to_json(*outcomes[i].kernel));
    } else {
      kernel.update({{"config", to_string(targets[i].config)}, {"error", outcomes[i].error}});
    }
    kernels.push_back(std::move(kernel));
  }
  print_json({{"kernels", std::move(kernels)}});
}

/// Each failure at the end, where it is seen.
void report_failures(const std::vector<Target>& targets, const std::vector<CompileOutcome>& outcomes) {
  int failures = 0;
  for (std::size_t i = 0; i < targets.size(); ++i) {
    if (outcomes[i].kernel) continue;
    ++failures;
    fmt::print(stderr, "flashbias: error: {}: {}\n", targets[i].label(), outcomes[i].error);
  }
  if (failures == 0) return;
  fmt::print(stderr, "flashbias: error: {} of {} kernels failed\n", failures, targets.size());
  throw CLI::RuntimeError(1);
}

void precompile(const Options& options) {
  const auto wanted = targets(options);
  std::vector<AttentionConfig> configs;
  for (const auto& target : wanted) configs.push_back(target.config);
  std::vector<CompileOutcome> outcomes;
  {
    Progress progress("compiling", wanted.size());
    outcomes = compile_all(configs, cache_directory(options.cache), options.threads,
                           [&](std::size_t i, const CompileOutcome&) { progress.advance(wanted[i].label()); });
  }
  if (options.json) {
    print_outcomes_json(wanted, outcomes);
  } else {
    print_outcomes(wanted, outcomes);
  }
  report_failures(wanted, outcomes);
}

}  // namespace

void add_precompile(CLI::App& app) {
  auto* verb = app.add_subcommand("precompile", "Compile the kernels of a manifest into the cache; needs no GPU");
  auto options = std::make_shared<Options>();
  verb->add_option("--manifest", options->manifest, "JSON file of configs, see docs/manifest.md")->required();
  verb->add_option("--arch", options->archs, "architectures, such as sm_80,sm_90a")->required()->delimiter(',');
  verb->add_option("--cache", options->cache, "directory in place of the default cache");
  verb->add_option("-j,--jobs", options->threads, "kernels compiled at a time; all cores by default")
      ->check(CLI::PositiveNumber);
  verb->add_flag("--json", options->json, "for programs");
  verb->callback([options] { precompile(*options); });
}

}  // namespace flashbias::tools
