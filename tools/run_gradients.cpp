#include "tools/run_gradients.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "codegen/gradients.hpp"
#include "flashbias/jit.hpp"
#include "tools/device_tensors.hpp"
#include "tools/gpu_timer.hpp"

namespace flashbias::tools {
namespace {

/// Zeros of the shapes that the kernel's gradients have.
NamedTensors gradients_of(const KernelPlan& plan, const AttentionProblem& problem) {
  const AttentionConfig& config = plan.config;
  NamedTensors gradients;
  for (const auto& [name, operand] : {std::pair{"q", &problem.q}, {"k", &problem.k}, {"v", &problem.v}})
    if (codegen::wants_gradient(config, name)) gradients.emplace(name, HostTensor(config.dtype, operand->shape));
  for (const InputSpec& input : plan.input_gradients)
    gradients.emplace(input.name, HostTensor(DType::f32, problem.inputs.at(input.name).shape));
  return gradients;
}

}  // namespace

GradientsRun run_gradients(const Kernel& kernel, const AttentionProblem& problem, const HostTensor& d_out,
                           float softmax_scale) {
  const KernelPlan& plan = kernel.plan();
  GradientsRun run{.forward = run_attention(jit::get(codegen::forward_of(plan.config)), problem, softmax_scale),
                   .gradients = gradients_of(plan, problem)};
  const auto q = upload(problem.q);
  const auto k = upload(problem.k);
  const auto v = upload(problem.v);
  const auto out = upload(run.forward.out);
  const auto log_sum_exp = upload(*run.forward.log_sum_exp);
  const auto gradient_of_out = upload(d_out);
  const DeviceInputs inputs(problem);
  std::map<std::string, DeviceBuffer> memory;
  std::vector<GradientOutput> gradients;
  for (const auto& [name, gradient] : run.gradients) {
    const auto& buffer = memory.emplace(name, poisoned(gradient)).first->second;
    gradients.push_back({.name = name, .tensor = on_device(gradient, buffer)});
  }
  const BackwardArguments arguments{.q = on_device(problem.q, q),
                                    .k = on_device(problem.k, k),
                                    .v = on_device(problem.v, v),
                                    .out = on_device(run.forward.out, out),
                                    .log_sum_exp = on_device(*run.forward.log_sum_exp, log_sum_exp),
                                    .d_out = on_device(d_out, gradient_of_out),
                                    .bias_inputs = inputs.views,
                                    .gradients = gradients,
                                    .softmax_scale = softmax_scale};
  constexpr double kOperationsOfForward = 2.5;
  run.milliseconds = median_milliseconds([&](CUstream_st* stream) { kernel.launch_backward(arguments, stream); });
  run.tflops = kOperationsOfForward * tera_operations(plan.config, shape_of(problem)) / (run.milliseconds * 1e-3);
  for (auto& [name, gradient] : run.gradients) memory.at(name).download(gradient.data.data());
  return run;
}

bool GradientsCheck::passed() const {
  return std::ranges::all_of(errors, [](const auto& each) { return each.ratio() <= each.accepted(); });
}

double GradientsCheck::largest_ratio() const {
  double largest = 0;
  for (const auto& each : errors) {
    if (std::isnan(each.ratio())) return each.ratio();
    largest = std::max(largest, each.ratio());
  }
  return largest;
}

GradientsCheck check_gradients(const AttentionConfig& config, const AttentionProblem& problem, const HostTensor& d_out,
                               float softmax_scale, const GradientsRun& run) {
  const auto views_of = [](const NamedTensors& tensors) {
    reference::Inputs views;
    for (const auto& [name, tensor] : tensors) views.emplace(name, tensor.view());
    return views;
  };
  return {.errors = reference::gradient_errors(config, problem.q.view(), problem.k.view(), problem.v.view(),
                                               views_of(problem.inputs), softmax_scale, d_out.view(),
                                               views_of(run.gradients))};
}

}  // namespace flashbias::tools
