#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Error.hpp>
#include <algorithm>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>

#include "flashbias/error.hpp"
#include "tools/compile_all.hpp"
#include "tools/flag_checks.hpp"
#include "tools/manifest.hpp"
#include "tools/output.hpp"
#include "tools/progress.hpp"
#include "tools/run_attention.hpp"
#include "tools/run_gradients.hpp"
#include "tools/standard_streams.hpp"
#include "tools/verbs.hpp"

namespace flashbias::tools {
namespace {

struct DemoOptions {
  std::string manifest;
  bool json = false;
};

/// The GPU's architecture, or why nothing is run.
struct Device {
  std::optional<Arch> arch;
  std::string why_not;
};

Device find_device() {
  try {
    return {.arch = jit::current_arch(), .why_not = {}};
  } catch (const Error& error) {
    const bool too_old = error.code() == ErrorCode::unsupported_device;
    return {.arch = std::nullopt, .why_not = too_old ? error.what() : "there is no GPU; see `flashbias doctor`"};
  }
}

/// What a kernel did on the GPU.
struct Measurement {
  double milliseconds = 0;
  double tflops = 0;
  double error_ratio = 0;  ///< of gradients, the largest
  bool passed = false;
};

/// What became of one entry of the manifest.
struct Result {
  ManifestEntry entry;
  CompileOutcome compiled;
  std::optional<Measurement> measured;
  std::string run_error;

  [[nodiscard]] bool succeeded() const {
    return compiled.kernel && run_error.empty() && (!measured || measured->passed);
  }
};

std::vector<Result> compile_entries(std::vector<ManifestEntry> entries) {
  std::vector<AttentionConfig> configs;
  for (const auto& entry : entries) configs.push_back(entry.config);
  Progress progress("compiling", entries.size());
  auto outcomes = compile_all(configs, jit::default_cache(), 0,
                              [&](std::size_t i, const CompileOutcome&) { progress.advance(entries[i].name); });
  std::vector<Result> results;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    results.push_back(
        {.entry = std::move(entries[i]), .compiled = std::move(outcomes[i]), .measured = {}, .run_error = {}});
  }
  return results;
}

Measurement measure_attention(const Kernel& kernel, const AttentionProblem& problem, float scale) {
  const auto run = run_attention(kernel, problem, scale);
  const auto check = check_attention(kernel.plan().config, problem, scale, run);
  return {.milliseconds = run.milliseconds,
          .tflops = run.tflops,
          .error_ratio = check.out.ratio(),
          .passed = check.passed()};
}

Measurement measure_gradients(const Kernel& kernel, const AttentionProblem& problem, float scale) {
  const auto& config = kernel.plan().config;
  const auto d_out = random_d_out(config, shape_of(problem), /*seed=*/0);
  const auto run = run_gradients(kernel, problem, d_out, scale);
  const auto check = check_gradients(config, problem, d_out, scale, run);
  return {.milliseconds = run.milliseconds,
          .tflops = run.tflops,
          .error_ratio = check.largest_ratio(),
          .passed = check.passed()};
}

void run_entry(Result& result) {
  const auto& config = result.entry.config;
  const auto kernel = jit::get(config);
  const auto problem = random_problem(kernel.plan(), *result.entry.shape, /*seed=*/0);
  const float scale = 1 / std::sqrt(static_cast<float>(config.head_dim));
  const bool is_forward = config.direction == Direction::forward;
  result.measured = is_forward ? measure_attention(kernel, problem, scale) : measure_gradients(kernel, problem, scale);
}

void run_entries(std::vector<Result>& results) {
  Progress progress("running", results.size());
  for (auto& result : results) {
    try {
      if (result.compiled.kernel && result.entry.shape) run_entry(result);
    } catch (const Error& error) {
      result.run_error = error.what();
    }
    progress.advance(result.entry.name);
  }
}

/// `factors + key column`, or `none` where the bias has no terms.
std::string lowerings(const KernelPlan& plan) {
  std::vector<std::string_view> names;
  for (const auto& term : plan.terms) names.push_back(to_string(term.lowering));
  return names.empty() ? "none" : fmt::format("{}", fmt::join(names, " + "));
}

std::string error_text(const Result& result) {
  if (!result.measured) return "-";
  return fmt::format("{:.2f}{}", result.measured->error_ratio, result.measured->passed ? "" : " FAILED");
}

Table table(const std::vector<Result>& results, bool ran) {
  std::vector<std::string> header{"model", "bias", "lowering", "registers", "shared", "spills", "compile", "key"};
  if (ran) header.insert(header.end() - 1, {"TFLOP/s", "error"});
  Table table(header);
  for (const auto& result : results) {
    if (!result.compiled.kernel) continue;
    const auto& kernel = *result.compiled.kernel;
    const auto& resources = kernel.cubin.resources;
    std::vector<std::string> row{result.entry.name,
                                 to_string(result.entry.config.bias),
                                 lowerings(kernel.plan),
                                 std::to_string(resources.registers),
                                 bytes_text(kernel.plan.shared_bytes + resources.static_shared_bytes),
                                 std::to_string(resources.spill_store_bytes + resources.spill_load_bytes),
                                 compile_time_text(kernel)};
    if (ran) {
      row.push_back(result.measured ? fmt::format("{:.1f}", result.measured->tflops) : "-");
      row.push_back(error_text(result));
    }
    row.push_back(short_key(kernel.key));
    table.add(std::move(row));
  }
  return table;
}

void print_results(const std::vector<Result>& results, const Device& device) {
  fmt::print("{}", table(results, device.arch.has_value()).text());
  const Arch arch = results.front().entry.config.arch;
  if (device.arch) {
    fmt::print(
        "\nOn this GPU ({}), each at its model's shape. error: against float64, in units of that of rounding the "
        "exact output; 1.5 is accepted, of gradients 4.\n",
        to_string(arch));
  } else {
    fmt::print("\nCompiled for {}; nothing is run: {}\n", to_string(arch), device.why_not);
  }
}

nlohmann::ordered_json to_json(const Result& result) {
  nlohmann::ordered_json json{{"name", result.entry.name}, {"bias", to_string(result.entry.config.bias)}};
  if (!result.compiled.kernel) {
    json["error"] = result.compiled.error;
    return json;
  }
  json["lowering"] = lowerings(result.compiled.kernel->plan);
  json.update(tools::to_json(*result.compiled.kernel));
  if (!result.run_error.empty()) json["error"] = result.run_error;
  if (const auto& measured = result.measured) {
    json.update({{"milliseconds", measured->milliseconds},
                 {"tflops", measured->tflops},
                 {"error_ratio", measured->error_ratio},
                 {"passed", measured->passed}});
  }
  return json;
}

void print_json_results(const std::vector<Result>& results, const Device& device) {
  auto models = nlohmann::ordered_json::array();
  for (const auto& result : results) models.push_back(to_json(result));
  print_json({{"gpu", device.arch.has_value()}, {"models", std::move(models)}});
}

void report_failures(const std::vector<Result>& results) {
  bool failed = false;
  for (const auto& result : results) {
    if (result.succeeded()) continue;
    failed = true;
    const std::string wrong_output = "what it computes is not within the accepted error of the float64 reference";
    const auto& reason = !result.compiled.kernel     ? result.compiled.error
                         : !result.run_error.empty() ? result.run_error
                                                     : wrong_output;
    complain(fmt::format("error: {}: {}", result.entry.name, reason));
  }
  if (failed) throw CLI::RuntimeError(1);
}

void demo(const DemoOptions& options) {
  constexpr const char* kArchWithoutGpu = "sm_90a";
  auto entries = read_manifest(options.manifest);
  const Device device = find_device();
  const Arch arch = device.arch.value_or(parse_arch(kArchWithoutGpu));
  for (auto& entry : entries) entry.config.arch = arch;

  auto results = compile_entries(std::move(entries));
  if (device.arch) run_entries(results);
  if (options.json) {
    print_json_results(results, device);
  } else {
    print_results(results, device);
  }
  report_failures(results);
}

}  // namespace

void add_demo(CLI::App& app) {
  auto* verb =
      app.add_subcommand("demo", "Compile the kernels of a model zoo and print a table; run them where there is a GPU");
  auto options = std::make_shared<DemoOptions>();
  verb->add_option("--manifest", options->manifest, "such as examples/models.json, see docs/manifest.md")
      ->required()
      ->check(not_empty());
  verb->add_flag("--json", options->json, "for programs");
  verb->callback([options] { demo(*options); });
}

}  // namespace flashbias::tools
