#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Error.hpp>
#include <algorithm>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>

#include "flashbias/error.hpp"
#include "flashbias/jit.hpp"
#include "tools/config_flags.hpp"
#include "tools/input_files.hpp"
#include "tools/npy.hpp"
#include "tools/output.hpp"
#include "tools/run_attention.hpp"
#include "tools/shape_flags.hpp"
#include "tools/verbs.hpp"

namespace flashbias::tools {
namespace {

struct Options {
  ConfigFlags config;
  ShapeFlags shape;
  std::string q;
  std::string k;
  std::string v;
  std::vector<std::string> inputs;
  std::optional<float> softmax_scale;
  std::uint64_t seed = 0;
  bool check = false;
  std::string output;
  bool json = false;
};

void replace(HostTensor& tensor, const std::string& file) {
  if (!file.empty()) tensor = convert(read_npy(file), tensor.dtype);
}

/// The inputs that are given, in place of the random ones.
void replace_inputs(AttentionProblem& problem, const std::vector<std::string>& assignments) {
  for (const auto& [name, tensor] : read_inputs(assignments)) {
    const auto input = problem.inputs.find(name);
    if (input == problem.inputs.end()) {
      throw Error(ErrorCode::invalid_argument,
                  fmt::format("--input: the bias has no input {}; it has {}", name, names_of(problem.inputs)));
    }
    input->second = convert(tensor, input->second.dtype);
  }
}

AttentionProblem make_problem(const Options& options, const KernelPlan& plan) {
  auto problem = random_problem(plan, options.shape.shape(), options.seed);
  replace(problem.q, options.q);
  replace(problem.k, options.k);
  replace(problem.v, options.v);
  replace_inputs(problem, options.inputs);
  for (const auto* tensor : {&problem.q, &problem.k, &problem.v}) {
    if (tensor->shape.size() == 4) continue;
    throw Error(ErrorCode::invalid_argument,
                fmt::format("q, k and v are [batch, seqlen, heads, head_dim]; a file has {}", to_string(*tensor)));
  }
  return problem;
}

void print_run(const Options& options, const Kernel& kernel, const AttentionRun& run,
               const std::optional<AttentionCheck>& check) {
  if (options.json) {
    nlohmann::ordered_json json{{"config", to_string(kernel.plan().config)},
                                {"key", kernel.key()},
                                {"out_shape", run.out.shape},
                                {"milliseconds", run.milliseconds},
                                {"tflops", run.tflops}};
    if (check) {
      json["check"] = {{"passed", check->passed()},
                       {"rows", check->rows},
                       {"error", check->out.error},
                       {"rounding_error", check->out.rounding_error},
                       {"ratio", check->out.ratio()}};
      if (check->log_sum_exp_error) json["check"]["log_sum_exp_error"] = *check->log_sum_exp_error;
    }
    print_json(json);
    return;
  }
  fmt::print("config  {}\n", to_string(kernel.plan().config));
  fmt::print("out     {}\n", to_string(run.out));
  fmt::print("time    {:.4f} ms, {:.1f} TFLOP/s\n", run.milliseconds, run.tflops);
  if (!check) return;
  fmt::print("check   {}: error {:.3g}, {:.2f} times that of rounding the exact output ({:.3g}); {} rows\n",
             check->passed() ? "passed" : "FAILED", check->out.error, check->out.ratio(), check->out.rounding_error,
             check->rows);
  if (check->log_sum_exp_error) fmt::print("        log-sum-exp error {:.3g}\n", *check->log_sum_exp_error);
}

void run(const Options& options) {
  const auto config = options.config.config();
  const auto problem = make_problem(options, plan(config));
  const auto kernel = jit::get(config);
  const float scale = options.softmax_scale.value_or(1 / std::sqrt(static_cast<float>(config.head_dim)));
  const auto result = run_attention(kernel, problem, scale);
  std::optional<AttentionCheck> check;
  if (options.check) check = check_attention(kernel.plan().config, problem, scale, result);
  print_run(options, kernel, result, check);
  if (!options.output.empty()) write_npy(options.output, result.out);
  if (!check || check->passed()) return;
  fmt::print(stderr, "flashbias: error: the output is not within the accepted error of the float64 reference\n");
  throw CLI::RuntimeError(1);
}

}  // namespace

void add_run(CLI::App& app) {
  auto* verb = app.add_subcommand("run", "Compute one attention on the GPU, from .npy files or random tensors");
  auto options = std::make_shared<Options>();
  options->config.add_to(*verb);
  constexpr const char* kGroup = "Operands";
  options->shape.add_to(*verb, kGroup);
  const char* kRounded = "[batch, seqlen, heads, head_dim], rounded to the config's dtype; random by default";
  verb->add_option("--q", options->q, kRounded)->type_name("FILE.npy")->group(kGroup);
  verb->add_option("--k", options->k, kRounded)->type_name("FILE.npy")->group(kGroup);
  verb->add_option("--v", options->v, kRounded)->type_name("FILE.npy")->group(kGroup);
  verb->add_option("--input", options->inputs, "a bias input, or all that an archive holds; may be repeated")
      ->type_name(kInputFileType)
      ->group(kGroup);
  verb->add_option("--scale", options->softmax_scale, "softmax scale; 1 / sqrt(head_dim) by default")->group(kGroup);
  verb->add_option("--seed", options->seed, "of the random tensors")->capture_default_str()->group(kGroup);
  verb->add_flag("--check", options->check, "against float64 on the CPU; fails beyond 1.5 times the rounding error");
  verb->add_option("-o,--output", options->output, "file for the output")->type_name("FILE.npy");
  verb->add_flag("--json", options->json, "for programs");
  verb->callback([options] { run(*options); });
}

}  // namespace flashbias::tools
