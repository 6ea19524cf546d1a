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

namespace flashbias::testing {
namespace {

constexpr double kBar = 1.5;
// Positions count from a place in the tile: a slope of 1 over its 192 rows leaves a few of their 2^-17.
constexpr double kLogSumExpBar = 5e-5;
constexpr std::size_t kLargeRows = 256;
constexpr double kLargeWork = 3e8;  // multiplications that the host may spend on a case
constexpr unsigned char kPoison = 0xff;

/// A tensor in host memory and its copy on the GPU.
struct Tensor {
  std::vector<std::byte> bytes;
  TensorView host;
  std::optional<DeviceBuffer> buffer;

  [[nodiscard]] TensorView device() const {
    TensorView view = host;
    view.data = buffer->data();
    view.device = 0;
    return view;
  }
};

std::int64_t extent(const TensorView& view) {
  std::int64_t last = 0;
  for (int d = 0; d < view.rank; ++d) {
    const auto i = static_cast<std::size_t>(d);
    if (view.shape[i] == 0) return 0;
    last += (view.shape[i] - 1) * view.strides[i];
  }
  return last + 1;
}

Tensor allocate(DType dtype, std::initializer_list<std::int64_t> shape, std::initializer_list<std::int64_t> strides) {
  Tensor tensor;
  tensor.host.dtype = dtype;
  tensor.host.rank = static_cast<int>(shape.size());
  std::ranges::copy(shape, tensor.host.shape.begin());
  std::ranges::copy(strides, tensor.host.strides.begin());
  tensor.host.device = -1;
  const auto size = static_cast<std::size_t>(extent(tensor.host) * size_of(dtype));
  tensor.bytes.resize(std::max<std::size_t>(size, 16));
  tensor.host.data = tensor.bytes.data();
  return tensor;
}

Tensor allocate_tokens(DType dtype, Layout layout, std::int64_t batch, std::int64_t length, std::int64_t heads,
                       std::int64_t dim) {
  const std::int64_t padding = layout == Layout::padded ? 8 : 0;
  switch (layout) {
    case Layout::heads_first:
      return allocate(dtype, {batch, length, heads, dim}, {heads * length * dim, dim, length * dim, 1});
    case Layout::broadcast_batch:
      return allocate(dtype, {batch, length, heads, dim}, {0, heads * dim, dim, 1});
    default: {
      const std::int64_t row = heads * dim + padding;
      return allocate(dtype, {batch, length, heads, dim}, {length * row + 2 * padding, row, dim, 1});
    }
  }
}

using Generator = std::function<double(std::mt19937_64&, std::int64_t batch, std::int64_t row, std::int64_t head)>;

/// On all cores, each row by a generator of its own; broadcast dimensions are written once.
void fill(Tensor& tensor, const std::string& name, const AttentionCase& attention, std::mt19937_64& random,
          const Generator& generate) {
  const TensorView& view = tensor.host;
  std::array<std::int64_t, 4> shape{1, 1, 1, 1};
  std::array<std::int64_t, 4> strides{};
  const auto missing = static_cast<std::size_t>(4 - view.rank);
  for (std::size_t i = missing; i < 4; ++i) {
    shape[i] = view.shape[i - missing];
    strides[i] = view.strides[i - missing];
  }
  if (strides[0] == 0) shape[0] = std::min<std::int64_t>(shape[0], 1);
  const std::uint64_t seed = random();
  std::atomic<std::int64_t> next = 0;
  const auto fill_rows = [&] {
    for (std::int64_t index = next++; index < shape[0] * shape[1]; index = next++) {
      std::mt19937_64 row_random(seed + static_cast<std::uint64_t>(index));
      const std::int64_t b = index / shape[1];
      const std::int64_t row = index % shape[1];
      for (std::int64_t head = 0; head < shape[2]; ++head)
        for (std::int64_t column = 0; column < shape[3]; ++column) {
          double number = generate(row_random, b, row, head);
          if (attention.replace) number = attention.replace(name, b, row, head, column).value_or(number);
          reference::write_element(view, b * strides[0] + row * strides[1] + head * strides[2] + column * strides[3],
                                   number);
        }
    }
  };
  std::vector<std::jthread> threads;
  for (unsigned t = 1; t < std::thread::hardware_concurrency(); ++t) threads.emplace_back(fill_rows);
  fill_rows();
}

void upload(Tensor& tensor) { tensor.buffer.emplace(tensor.bytes.data(), tensor.bytes.size()); }

Generator normal(double deviation) {
  return [deviation](std::mt19937_64& random, auto...) { return std::normal_distribution<>(0, deviation)(random); };
}

Generator generator_of(const InputSpec& input, const AttentionCase& attention) {
  if (input.name == "slopes")
    return [&](std::mt19937_64&, std::int64_t, std::int64_t, std::int64_t head) {
      return std::exp2(-8.0 * static_cast<double>(head + 1) / attention.heads);
    };
  if (input.name == "distance_weight")
    return [](std::mt19937_64& random, auto...) { return std::uniform_real_distribution<>(0.5, 2)(random); };
  if (input.name == "q_positions" || input.name == "k_positions")
    return [&](std::mt19937_64& random, auto...) {
      return std::uniform_real_distribution<>(-attention.position_extent, attention.position_extent)(random);
    };
  if (input.range)
    return [range = *input.range](std::mt19937_64& random, auto...) {
      return std::uniform_real_distribution<>(range.low, range.high)(random);
    };
  if (input.dtype == DType::u8)
    return [](std::mt19937_64& random, auto...) { return std::bernoulli_distribution(0.8)(random) ? 1.0 : 0.0; };
  if (input.name == "q_factors" || input.name == "k_factors") return normal(std::pow(input.dims, -0.25));
  return normal(1);
}

Tensor allocate_input(const InputSpec& input, const AttentionCase& attention) {
  const std::int64_t batch = attention.inputs_a_batch_item ? attention.batch : 1;
  const std::int64_t heads = attention.inputs_a_head ? attention.heads : 1;
  switch (input.kind) {
    case Op::head_scalar:
      return allocate(input.dtype, {1, 1, attention.heads, 1}, {0, 0, 1, 1});
    case Op::query_input:
      return allocate_tokens(input.dtype, Layout::packed, batch, attention.q_length, heads, input.dims);
    case Op::key_input:
      return allocate_tokens(input.dtype, Layout::packed, batch, attention.kv_length, heads, input.dims);
    case Op::table:
      return allocate(input.dtype, {batch, heads, input.dims}, {heads * input.dims, input.dims, 1});
    default: {
      const std::int64_t size = std::int64_t{attention.q_length} * attention.kv_length;
      return allocate(input.dtype, {batch, heads, attention.q_length, attention.kv_length},
                      {heads * size, size, attention.kv_length, 1});
    }
  }
}

/// A head scalar is bound as [H]; it was filled like a token tensor, so that its generator sees the head.
TensorView as_bound(const InputSpec& input, TensorView view) {
  if (input.kind == Op::head_scalar) {
    view.shape = {view.shape[2]};
    view.strides = {1};
    view.rank = 1;
  }
  return view;
}

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
  while (rows.size() < kLargeRows)
    rows.push_back(row_at(std::uniform_int_distribution<std::int64_t>(0, all - 1)(random)));
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

CaseResult run(const AttentionCase& requested) {
  AttentionCase attention = requested;
  AttentionConfig& config = attention.config;
  if (config.head_dim_v == 0) config.head_dim_v = config.head_dim;
  const Kernel kernel = jit::get(config);
  std::mt19937_64 random(std::random_device{}());

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
  CaseResult result{.unwritten = count_poison(out)};
  if (all_zero(rows)) {
    for (const double value : actual) result.error = std::max(result.error, std::abs(value));
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

void check_all(const std::vector<AttentionCase>& cases) {
  compile_ahead(cases);
  for (const AttentionCase& attention : cases) {
    CAPTURE(to_string(attention));
    try {
      const CaseResult result = run(attention);
      CAPTURE(result.error);
      CAPTURE(result.rounding_error);
      CHECK(result.ratio() <= kBar);
      CHECK(result.unwritten == 0);
      CHECK(result.log_sum_exp_error <= kLogSumExpBar);
    } catch (const std::exception& error) {
      FAIL_CHECK(std::string(error.what()));
    }
  }
}

}  // namespace flashbias::testing
