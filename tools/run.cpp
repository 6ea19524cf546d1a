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
#include "tools/flag_checks.hpp"
#include "tools/input_files.hpp"
#include "tools/npy.hpp"
#include "tools/output.hpp"
#include "tools/run_attention.hpp"
#include "tools/run_gradients.hpp"
#include "tools/shape_flags.hpp"
#include "tools/standard_streams.hpp"
#include "tools/verbs.hpp"

namespace flashbias::tools {
namespace {

struct RunOptions {
  ConfigFlags config;
  ShapeFlags shape;
  std::string q;
  std::string k;
  std::string v;
  std::string d_out;
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

AttentionProblem make_problem(const RunOptions& options, const KernelPlan& plan) {
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

HostTensor make_d_out(const RunOptions& options, const KernelPlan& plan, const AttentionProblem& problem) {
  if (options.d_out.empty()) return random_d_out(plan.config, shape_of(problem), options.seed);
  return convert(read_npy(options.d_out), plan.config.dtype);
}

float scale_of(const RunOptions& options, const AttentionConfig& config) {
  return options.softmax_scale.value_or(1 / std::sqrt(static_cast<float>(config.head_dim)));
}

[[noreturn]] void fail_check(const char* what) {
  complain(fmt::format("error: {} not within the accepted error of the float64 reference", what));
  throw CLI::RuntimeError(1);
}

void print_run(const RunOptions& options, const Kernel& kernel, const AttentionRun& run,
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

void run_forward(const RunOptions& options, const AttentionConfig& config) {
  if (!options.d_out.empty())
    throw Error(ErrorCode::invalid_argument, "--d-out is of the backward pass; add --direction backward");
  const auto problem = make_problem(options, plan(config));
  const auto kernel = jit::get(config);
  const float scale = scale_of(options, config);
  const auto result = run_attention(kernel, problem, scale);
  std::optional<AttentionCheck> check;
  if (options.check) check = check_attention(kernel.plan().config, problem, scale, result);
  print_run(options, kernel, result, check);
  if (!options.output.empty()) write_npy(options.output, result.out);
  if (check && !check->passed()) fail_check("the output is");
}

nlohmann::ordered_json to_json(const GradientsCheck& check) {
  nlohmann::ordered_json json{{"passed", check.passed()}};
  for (const auto& gradient : check.errors) {
    json["gradients"][gradient.name] = {{"error", gradient.error},
                                        {"inevitable", gradient.inevitable},
                                        {"ratio", gradient.ratio()},
                                        {"accepted", gradient.accepted()}};
  }
  return json;
}

void print_gradients_json(const Kernel& kernel, const GradientsRun& run, const std::optional<GradientsCheck>& check) {
  nlohmann::ordered_json json{{"config", to_string(kernel.plan().config)},
                              {"key", kernel.key()},
                              {"milliseconds", run.milliseconds},
                              {"tflops", run.tflops},
                              {"forward_milliseconds", run.forward.milliseconds},
                              {"forward_tflops", run.forward.tflops}};
  for (const auto& [name, gradient] : run.gradients) json["gradient_shapes"][name] = gradient.shape;
  if (check) json["check"] = to_json(*check);
  print_json(json);
}

void print_gradients(const Kernel& kernel, const GradientsRun& run, const std::optional<GradientsCheck>& check) {
  fmt::print("config   {}\n", to_string(kernel.plan().config));
  fmt::print("forward  {:.4f} ms, {:.1f} TFLOP/s\n", run.forward.milliseconds, run.forward.tflops);
  fmt::print("time     {:.4f} ms, {:.1f} TFLOP/s\n", run.milliseconds, run.tflops);
  std::vector<std::string> header{"gradient", "tensor"};
  if (check) {
    fmt::print("check    {}: in units of the error that 16 bits make inevitable\n",
               check->passed() ? "passed" : "FAILED");
    header.insert(header.end(), {"error", "times inevitable", "accepted"});
  }
  Table table(std::move(header));
  for (const auto& [name, gradient] : run.gradients) {
    std::vector<std::string> row{name, to_string(gradient)};
    if (check) {
      const auto error = std::ranges::find(check->errors, name, &reference::GradientError::name);
      row.insert(row.end(), {fmt::format("{:.3g}", error->error), fmt::format("{:.2f}", error->ratio()),
                             fmt::format("{:.2f}", error->accepted())});
    }
    table.add(std::move(row));
  }
  fmt::print("{}", table.text());
}

void run_backward(const RunOptions& options, const AttentionConfig& config) {
  if (!options.output.empty() && !options.output.ends_with(".npz"))
    throw Error(ErrorCode::invalid_argument,
                fmt::format("--output {}: several gradients need an archive; name it FILE.npz", options.output));
  const auto problem = make_problem(options, plan(config));
  const auto kernel = jit::get(config);
  const auto d_out = make_d_out(options, kernel.plan(), problem);
  const float scale = scale_of(options, config);
  const auto result = run_gradients(kernel, problem, d_out, scale);
  std::optional<GradientsCheck> check;
  if (options.check) check = check_gradients(kernel.plan().config, problem, d_out, scale, result);
  options.json ? print_gradients_json(kernel, result, check) : print_gradients(kernel, result, check);
  if (!options.output.empty()) write_npz(options.output, result.gradients);
  if (check && !check->passed()) fail_check("a gradient is");
}

void run(const RunOptions& options) {
  const auto config = options.config.config();
  config.direction == Direction::forward ? run_forward(options, config) : run_backward(options, config);
}

}  // namespace

void add_run(CLI::App& app) {
  auto* verb =
      app.add_subcommand("run", "Compute one attention or its gradients on the GPU, from .npy files or random tensors");
  auto options = std::make_shared<RunOptions>();
  options->config.add_to(*verb);
  constexpr const char* kGroup = "Operands";
  options->shape.add_to(*verb, kGroup);
  const char* kRounded = "[batch, seqlen, heads, head_dim], rounded to the config's dtype; random by default";
  verb->add_option("--q", options->q, kRounded)->type_name("FILE.npy")->group(kGroup);
  verb->add_option("--k", options->k, kRounded)->type_name("FILE.npy")->group(kGroup);
  verb->add_option("--v", options->v, kRounded)->type_name("FILE.npy")->group(kGroup);
  verb->add_option("--d-out", options->d_out, "with backward: gradient of the output, likewise")
      ->type_name("FILE.npy")
      ->group(kGroup);
  verb->add_option("--input", options->inputs, "a bias input, or all that an archive holds; may be repeated")
      ->type_name(kInputFileType)
      ->group(kGroup);
  verb->add_option("--scale", options->softmax_scale, "softmax scale; 1 / sqrt(head_dim) by default")->group(kGroup);
  verb->add_option("--seed", options->seed, "of the random tensors")
      ->capture_default_str()
      ->check(whole_number(0))
      ->group(kGroup);
  verb->add_flag(
      "--check", options->check,
      "against float64 on the CPU; fails beyond 1.5 times the rounding error, gradients beyond about twice what "
      "16 bits cost");
  verb->add_option("-o,--output", options->output, "file for the output, or for the gradients")
      ->type_name("FILE.npy|FILE.npz")
      ->check(not_empty());
  verb->add_flag("--json", options->json, "for programs");
  verb->callback([options] { run(*options); });
}

}  // namespace flashbias::tools
