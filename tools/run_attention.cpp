#include "tools/run_attention.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "tools/device_tensors.hpp"
#include "tools/gpu_timer.hpp"

namespace flashbias::tools {

double tera_operations(const AttentionConfig& config, const Shape& shape) {
  const auto rows = static_cast<double>(shape.seqlen_q);
  const auto columns = static_cast<double>(shape.seqlen_k);
  const double triangle = std::min(rows, columns) * std::min(rows, columns) / 2;  // the last query sees all keys
  double of_head = rows * columns;
  if (config.causal) of_head = rows > columns ? triangle : of_head - triangle;
  return 2e-12 * static_cast<double>(shape.batch * shape.heads) * of_head * (config.head_dim + config.head_dim_v);
}

namespace {

/// Rows at equal distances among all rows, few enough for the reference to take about a second.
std::vector<reference::Row> sampled_rows(const AttentionConfig& config, const Shape& shape) {
  constexpr std::int64_t kFewest = 64;
  constexpr std::int64_t kOperations = std::int64_t{1} << 28;
  const auto all = shape.batch * shape.heads * shape.seqlen_q;
  const auto affordable = kOperations / (shape.seqlen_k * (config.head_dim + config.head_dim_v));
  const auto count = std::min(all, std::max(affordable, kFewest));
  std::vector<reference::Row> rows(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) {
    const auto row = count == 1 ? 0 : i * (all - 1) / (count - 1);  // the first and the last among them
    auto& sampled = rows[static_cast<std::size_t>(i)];
    sampled.q_index = row % shape.seqlen_q;
    sampled.head = row / shape.seqlen_q % shape.heads;
    sampled.batch = row / shape.seqlen_q / shape.heads;
  }
  return rows;
}

std::vector<double> output_of(const std::vector<reference::Row>& rows, const HostTensor& out) {
  const auto tokens = out.shape.at(1);
  const auto heads = out.shape.at(2);
  const auto dims = out.shape.at(3);
  const TensorView view = out.view();
  std::vector<double> numbers;
  for (const auto& row : rows) {
    const auto first = ((row.batch * tokens + row.q_index) * heads + row.head) * dims;
    for (std::int64_t d = 0; d < dims; ++d) numbers.push_back(reference::read_element(view, first + d));
  }
  return numbers;
}

double log_sum_exp_error(const std::vector<reference::Row>& rows, const HostTensor& log_sum_exp) {
  const auto heads = log_sum_exp.shape.at(1);
  const auto tokens = log_sum_exp.shape.at(2);
  const TensorView view = log_sum_exp.view();
  double largest = 0;
  for (const auto& row : rows) {
    const auto actual = reference::read_element(view, (row.batch * heads + row.head) * tokens + row.q_index);
    if (actual == row.log_sum_exp) continue;  // infinities too
    const auto error = std::abs(actual - row.log_sum_exp) / std::max(1.0, std::abs(row.log_sum_exp));
    if (!(error <= largest)) largest = error;  // a NaN stays
  }
  return largest;
}

}  // namespace

AttentionRun run_attention(const Kernel& kernel, const AttentionProblem& problem, float softmax_scale) {
  const auto& config = kernel.plan().config;
  const Shape shape = shape_of(problem);
  AttentionRun run{.out = HostTensor(config.dtype, {shape.batch, shape.seqlen_q, shape.heads, config.head_dim_v}),
                   .log_sum_exp = std::nullopt};
  if (config.log_sum_exp) run.log_sum_exp.emplace(DType::f32, std::vector{shape.batch, shape.heads, shape.seqlen_q});

  const auto q = upload(problem.q);
  const auto k = upload(problem.k);
  const auto v = upload(problem.v);
  const DeviceInputs inputs(problem);
  const auto out = poisoned(run.out);
  std::optional<DeviceBuffer> log_sum_exp;
  if (run.log_sum_exp) log_sum_exp = poisoned(*run.log_sum_exp);

  AttentionArguments arguments{.q = on_device(problem.q, q),
                               .k = on_device(problem.k, k),
                               .v = on_device(problem.v, v),
                               .out = on_device(run.out, out),
                               .log_sum_exp = std::nullopt,
                               .bias_inputs = inputs.views,
                               .softmax_scale = softmax_scale};
  if (log_sum_exp) arguments.log_sum_exp = on_device(*run.log_sum_exp, *log_sum_exp);

  run.milliseconds = median_milliseconds([&](CUstream_st* stream) { kernel.launch(arguments, stream); });
  run.tflops = tera_operations(config, shape) / (run.milliseconds * 1e-3);
  out.download(run.out.data.data());
  if (log_sum_exp) log_sum_exp->download(run.log_sum_exp->data.data());
  return run;
}

bool AttentionCheck::passed() const {
  constexpr double kOutputBar = 1.5;
  constexpr double kLogSumExpBar = 1e-4;
  const bool out_passed = out.error <= kOutputBar * out.rounding_error;
  return out_passed && log_sum_exp_error.value_or(0) <= kLogSumExpBar;
}

AttentionCheck check_attention(const AttentionConfig& config, const AttentionProblem& problem, float softmax_scale,
                               const AttentionRun& run) {
  reference::Inputs inputs;
  for (const auto& [name, tensor] : problem.inputs) inputs.emplace(name, tensor.view());
  auto rows = sampled_rows(config, shape_of(problem));
  reference::attention(config, problem.q.view(), problem.k.view(), problem.v.view(), inputs, softmax_scale, rows);
  AttentionCheck check{.out = reference::compare(rows, output_of(rows, run.out), config.dtype),
                       .log_sum_exp_error = std::nullopt,
                       .rows = rows.size()};
  if (run.log_sum_exp) check.log_sum_exp_error = log_sum_exp_error(rows, *run.log_sum_exp);
  return check;
}

}  // namespace flashbias::tools
