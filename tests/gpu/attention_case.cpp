#include "tests/gpu/attention_case.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <map>
#include <optional>
#include <random>
#include <thread>

#include "flashbias/device_buffer.hpp"
#include "flashbias/jit.hpp"
#include "flashbias/reference.hpp"
#include "tests/gpu/test_tensors.hpp"

namespace flashbias::testing {
namespace {

constexpr double kBar = 1.5;
// Positions count from a place in the tile: a slope of 1 over its 192 rows leaves a few of their 2^-17.
constexpr double kLogSumExpBar = 5e-5;
/// Numbers of the output that large cases are judged by.
constexpr std::size_t kSampledNumbers = 16384;
/// The error of a case is 1.4 times that of rounding where the softmax is flat, and varies from run to run: by 4 %
/// where outputs are few, by 8 % where rows are alike. One that a run finds beyond the bar is judged by that of so
/// many, unless that of a single run is beyond what varies.
constexpr int kRuns = 16;
constexpr double kSingleRunBar = 1.75;  // 1.4 and three times the 8 % by which a run varies
constexpr std::size_t kLargeRows = 256;
constexpr double kLargeWork = 3e8;  // multiplications that the host may spend on a case

std::vector<reference::Row> rows_to_check(const AttentionCase& attention, std::mt19937_64& random) {
  const std::int64_t all = std::int64_t{attention.batch} * attention.heads * attention.q_length;
  const AttentionConfig& config = attention.config;
  const double work = static_cast<double>(all) * attention.kv_length * (config.head_dim + config.head_dim_v + 20);
  const auto row_at = [&](std::int64_t index) {
    reference::Row row;
    row.q_index = index % attention.q_length;
    row.head = index / attention.q_length % attention.heads;
    row.batch = index / attention.q_length / attention.heads;
    return row;
  };
  std::vector<reference::Row> rows;
  if (work <= kLargeWork) {
    for (std::int64_t i = 0; i < all; ++i) rows.push_back(row_at(i));
    return rows;
  }
  rows = {row_at(0), row_at(all - 1)};
  const std::size_t wanted = std::max(kLargeRows, kSampledNumbers / static_cast<std::size_t>(config.head_dim_v));
  while (rows.size() < wanted) rows.push_back(row_at(std::uniform_int_distribution<std::int64_t>(0, all - 1)(random)));
  return rows;
}

double log_sum_exp_error(const std::vector<reference::Row>& rows, const std::vector<float>& actual,
                         const AttentionCase& attention) {
  double largest = 0;
  for (const reference::Row& row : rows) {
    const std::int64_t index = (row.batch * attention.heads + row.head) * attention.q_length + row.q_index;
    const double value = actual[static_cast<std::size_t>(index)];
    if (value == row.log_sum_exp || (std::isnan(value) && std::isnan(row.log_sum_exp))) continue;
    const double error = std::abs(value - row.log_sum_exp) / std::max(1.0, std::abs(row.log_sum_exp));
    largest = std::max(largest, std::isnan(error) ? HUGE_VAL : error);
  }
  return largest;
}

std::int64_t count_poison(const Tensor& out) {
  std::int64_t count = 0;
  const TensorView& view = out.host;
  for (std::int64_t b = 0; b < view.shape[0]; ++b)
    for (std::int64_t row = 0; row < view.shape[1]; ++row)
      for (std::int64_t head = 0; head < view.shape[2]; ++head)
        for (std::int64_t column = 0; column < view.shape[3]; ++column) {
          const std::int64_t offset = b * view.strides[0] + row * view.strides[1] + head * view.strides[2] + column;
          std::uint16_t bits = 0;
          std::memcpy(&bits, out.bytes.data() + offset * 2, sizeof(bits));
          count += bits == 0xffff ? 1 : 0;
        }
  return count;
}

/// NaN is equal to NaN and an infinity to itself; beyond that, numbers that are not finite spoil the error.
void forgive_equal_non_finite(std::vector<reference::Row>& rows, std::vector<double>& actual) {
  std::size_t i = 0;
  for (reference::Row& row : rows)
    for (double& exact : row.out) {
      double& value = actual[i++];
      if ((std::isnan(exact) && std::isnan(value)) || (std::isinf(exact) && exact == value)) exact = value = 0;
    }
}

bool all_zero(const std::vector<reference::Row>& rows) {
  return std::ranges::all_of(
      rows, [](const reference::Row& row) { return std::ranges::all_of(row.out, [](double x) { return x == 0; }); });
}

}  // namespace

std::string to_string(const AttentionCase& attention) {
  const AttentionConfig& config = attention.config;
  return fmt::format("{} {} d={}/{}{}{} B={} H={}/{} N={}x{} layout {}", to_string(config.bias),
                     to_string(config.dtype), config.head_dim,
                     config.head_dim_v == 0 ? config.head_dim : config.head_dim_v, config.causal ? " causal" : "",
                     config.log_sum_exp ? " lse" : "", attention.batch, attention.heads, attention.kv_heads,
                     attention.q_length, attention.kv_length, static_cast<int>(attention.layout));
}

AttentionCase seeded(AttentionCase attention) {
  if (attention.seed == 0) attention.seed = std::uint64_t{std::random_device{}()} + 1;
  return attention;
}

CaseResult run(const AttentionCase& requested) {
  AttentionCase attention = seeded(requested);
  AttentionConfig& config = attention.config;
  if (config.head_dim_v == 0) config.head_dim_v = config.head_dim;
  const Kernel kernel = jit::get(config);
  std::mt19937_64 random(attention.seed);

  Tensor q = allocate_tokens(config.dtype, attention.layout, attention.batch, attention.q_length, attention.heads,
                             config.head_dim);
  Tensor k = allocate_tokens(config.dtype, attention.layout, attention.batch, attention.kv_length, attention.kv_heads,
                             config.head_dim);
  Tensor v = allocate_tokens(config.dtype, attention.layout, attention.batch, attention.kv_length, attention.kv_heads,
                             config.head_dim_v);
  fill(q, "q", attention, random, normal(attention.score_spread));
  fill(k, "k", attention, random, normal(1));
  fill(v, "v", attention, random, normal(1));
  const Layout out_layout = attention.layout == Layout::broadcast_batch ? Layout::packed : attention.layout;
  Tensor out = allocate_tokens(config.dtype, out_layout, attention.batch, attention.q_length, attention.heads,
                               config.head_dim_v);
  for (Tensor* tensor : {&q, &k, &v, &out}) upload(*tensor);
  out.buffer->fill(kPoison);

  std::vector<Tensor> inputs;
  std::vector<BiasInput> bound;
  reference::Inputs host_inputs;
  inputs.reserve(kernel.plan().inputs.size());
  for (const InputSpec& input : kernel.plan().inputs) {
    Tensor& tensor = inputs.emplace_back(allocate_input(input, attention));
    fill(tensor, input.name, attention, random, generator_of(input, attention));
    upload(tensor);
    bound.push_back({input.name, as_bound(input, tensor.device())});
    host_inputs[input.name] = as_bound(input, tensor.host);
  }

  AttentionArguments arguments{q.device(), k.device(), v.device(), out.device()};
  arguments.bias_inputs = bound;
  const double scale = attention.softmax_scale > 0 ? attention.softmax_scale : 1 / std::sqrt(config.head_dim);
  arguments.softmax_scale = static_cast<float>(scale);
  std::vector<float> log_sum_exp(static_cast<std::size_t>(attention.batch * attention.heads * attention.q_length));
  std::optional<DeviceBuffer> log_sum_exp_buffer;
  if (config.log_sum_exp) {
    log_sum_exp_buffer.emplace(log_sum_exp.size() * sizeof(float));
    log_sum_exp_buffer->fill(kPoison);
    arguments.log_sum_exp = TensorView::contiguous(log_sum_exp_buffer->data(), DType::f32,
                                                   {attention.batch, attention.heads, attention.q_length});
  }
  kernel.launch(arguments, nullptr);
  out.buffer->download(out.bytes.data());
  if (config.log_sum_exp) log_sum_exp_buffer->download(log_sum_exp.data());

  std::vector<reference::Row> rows = rows_to_check(attention, random);
  reference::attention(config, q.host, k.host, v.host, host_inputs, static_cast<float>(scale), rows);
  std::vector<double> actual;
  for (const reference::Row& row : rows)
    for (int d = 0; d < config.head_dim_v; ++d)
      actual.push_back(reference::read_element(
          out.host,
          row.batch * out.host.strides[0] + row.q_index * out.host.strides[1] + row.head * out.host.strides[2] + d));
  forgive_equal_non_finite(rows, actual);
  CaseResult result{.unwritten = count_poison(out), .seed = attention.seed};
  if (all_zero(rows)) {
    if (!std::ranges::all_of(actual, [](double value) { return value == 0; })) result.error = HUGE_VAL;
  } else {
    const reference::ErrorReport report = reference::compare(rows, actual, config.dtype);
    result.error = report.error;
    result.rounding_error = report.rounding_error;
  }
  if (config.log_sum_exp) result.log_sum_exp_error = log_sum_exp_error(rows, log_sum_exp, attention);
  return result;
}

void compile_ahead(const std::vector<AttentionCase>& cases) {
  const Arch arch = jit::current_arch();
  std::atomic<std::size_t> next = 0;
  const auto work = [&] {
    for (std::size_t i = next++; i < cases.size(); i = next++) {
      AttentionConfig config = cases[i].config;
      config.arch = arch;
      try {
        static_cast<void>(jit::get_cubin(config));
      } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch): the run of the case reports it
      }
    }
  };
  std::vector<std::jthread> threads;
  for (unsigned t = 0; t < std::max(1U, std::thread::hardware_concurrency()); ++t) threads.emplace_back(work);
}

/// The result of one run, or the mean of many, with the seed of the first; one that is wrong beyond doubt, alone.
CaseResult run_often_enough(const AttentionCase& attention) {
  CaseResult result = run(attention);
  const auto is_wrong = [](const CaseResult& one) {
    return !(one.ratio() <= kSingleRunBar) || one.rounding_error == 0;
  };
  if (result.ratio() <= kBar || is_wrong(result)) return result;
  AttentionCase again = attention;
  for (int runs = 1; runs < kRuns; ++runs) {
    again.seed = result.seed + static_cast<std::uint64_t>(runs);
    const CaseResult next = run(again);
    if (is_wrong(next)) return next;
    const auto mean = [runs](double of_runs, double of_next) {
      return std::sqrt((of_runs * of_runs * runs + of_next * of_next) / (runs + 1));
    };
    result.error = mean(result.error, next.error);
    result.rounding_error = mean(result.rounding_error, next.rounding_error);
    result.log_sum_exp_error = std::max(result.log_sum_exp_error, next.log_sum_exp_error);
    result.unwritten += next.unwritten;
  }
  return result;
}

void check_all(const std::vector<AttentionCase>& cases) {
  compile_ahead(cases);
  for (const AttentionCase& attention : cases) {
    CAPTURE(to_string(attention));
    try {
      const CaseResult result = run_often_enough(attention);
      CAPTURE(result.error);
      CAPTURE(result.rounding_error);
      CAPTURE(result.seed);
      CHECK(result.ratio() <= kBar);
      CHECK(result.unwritten == 0);
      CHECK(result.log_sum_exp_error <= kLogSumExpBar);
    } catch (const std::exception& error) {
      FAIL_CHECK(std::string(error.what()));
    }
  }
}

}  // namespace flashbias::testing
