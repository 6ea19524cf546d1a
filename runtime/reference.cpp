#include "flashbias/reference.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <numeric>
#include <thread>

#include "codegen/inputs.hpp"
#include "flashbias/error.hpp"
#include "runtime/elements.hpp"
#include "runtime/flat_bias.hpp"
#include "runtime/problem_sizes.hpp"

namespace flashbias::reference {
namespace {

using runtime::ProblemSizes;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// One attention problem on the host.
struct Problem {
  const AttentionConfig& config;
  const TensorView& q;
  const TensorView& k;
  const TensorView& v;
  double softmax_scale;
  ProblemSizes sizes;
  runtime::FlatBias bias;
};

/// Computes rows, one at a time, reusing its buffers.
class RowSolver {
 public:
  explicit RowSolver(const Problem& problem)
      : problem_(problem),
        bias_(problem.bias),
        query_(static_cast<std::size_t>(problem.q.shape[3])),
        key_(query_.size()),
        value_(static_cast<std::size_t>(problem.v.shape[3])) {}

  void solve(Row& row) {
    compute_scores(row);
    // A NaN among the scores becomes the maximum, and so everything.
    double maximum = -kInfinity;
    for (const double score : scores_) {
      if (score > maximum || std::isnan(score)) maximum = score;
    }
    row.out.assign(value_.size(), 0.0);
    row.log_sum_exp = -kInfinity;
    if (maximum == -kInfinity) return;

    double sum = 0;
    for (double& score : scores_) sum += score = std::exp(score - maximum);
    row.log_sum_exp = maximum + std::log(sum);
    for (std::size_t j = 0; j < scores_.size(); ++j) {
      load(problem_.v, row.batch, static_cast<std::int64_t>(j), kv_head(row), value_);
      for (std::size_t c = 0; c < value_.size(); ++c) row.out[c] += scores_[j] * value_[c];
    }
    for (double& number : row.out) number /= sum;
  }

 private:
  std::int64_t kv_head(const Row& row) const { return row.head / (problem_.sizes.heads / problem_.sizes.kv_heads); }

  static void load(const TensorView& tensor, std::int64_t batch, std::int64_t token, std::int64_t head,
                   std::span<double> to) {
    const std::int64_t offset = batch * tensor.strides[0] + token * tensor.strides[1] + head * tensor.strides[2];
    runtime::read_elements(tensor.data, tensor.dtype, offset, to);
  }

  /// Keys that the mask lets this query see; they are the first ones.
  std::int64_t visible_keys(const Row& row) const {
    const ProblemSizes& sizes = problem_.sizes;
    if (!problem_.config.causal) return sizes.kv_length;
    return std::clamp<std::int64_t>(row.q_index + sizes.kv_length - sizes.q_length + 1, 0, sizes.kv_length);
  }

  void compute_scores(const Row& row) {
    const ProblemSizes& sizes = problem_.sizes;
    scores_.resize(static_cast<std::size_t>(visible_keys(row)));
    load(problem_.q, row.batch, row.q_index, row.head, query_);
    bias_.set_row({.batch = row.batch,
                   .head = row.head,
                   .q_index = row.q_index,
                   .q_length = sizes.q_length,
                   .kv_length = sizes.kv_length});
    for (std::size_t j = 0; j < scores_.size(); ++j) {
      const auto kv_index = static_cast<std::int64_t>(j);
      load(problem_.k, row.batch, kv_index, kv_head(row), key_);
      const double product = std::transform_reduce(query_.begin(), query_.end(), key_.begin(), 0.0);
      scores_[j] = problem_.softmax_scale * product + bias_.at(kv_index);
    }
  }

  const Problem& problem_;
  runtime::BiasEvaluator bias_;
  std::vector<double> query_;
  std::vector<double> key_;
  std::vector<double> value_;
  std::vector<double> scores_;
};

void require_readable(const char* name, const TensorView& tensor) {
  if (tensor.strides[3] != 1 && tensor.shape[3] > 1) {
    runtime::reject(name, tensor, "its last dimension must be contiguous (stride 1)");
  }
}

void require_inside(const ProblemSizes& sizes, const Row& row) {
  const auto inside = [](std::int64_t index, std::int64_t size) { return index >= 0 && index < size; };
  if (!inside(row.batch, sizes.batch) || !inside(row.head, sizes.heads) || !inside(row.q_index, sizes.q_length)) {
    throw Error(ErrorCode::invalid_argument,
                fmt::format("row (batch {}, head {}, query {}) lies outside B = {}, H = {}, Nq = {}", row.batch,
                            row.head, row.q_index, sizes.batch, sizes.heads, sizes.q_length));
  }
}

}  // namespace

void attention(const AttentionConfig& config, const TensorView& q, const TensorView& k, const TensorView& v,
               const Inputs& bias_inputs, double softmax_scale, std::span<Row> rows, int threads) {
  const ProblemSizes sizes = runtime::problem_sizes(config, q, k, v);
  require_readable("q", q);
  require_readable("k", k);
  require_readable("v", v);
  for (const Row& row : rows) require_inside(sizes, row);

  const auto bind = [&](const Expr& input) -> runtime::BoundInput {
    const TensorView& tensor = runtime::find_input(bias_inputs, input.node().name);
    const InputSpec spec = codegen::input_spec(input, config.dtype);
    return {.tensor = tensor, .strides = runtime::bind_bias_tensor(spec, tensor, sizes)};
  };
  const Problem problem{config, q, k, v, softmax_scale, sizes, runtime::FlatBias(config.bias, bind)};

  std::atomic<std::size_t> next = 0;
  const auto work = [&] {
    RowSolver solver(problem);
    for (std::size_t i = next++; i < rows.size(); i = next++) solver.solve(rows[i]);
  };
  const auto cores = std::max<std::size_t>(std::thread::hardware_concurrency(), 1);
  const std::size_t wanted = threads > 0 ? static_cast<std::size_t>(threads) : cores;
  std::vector<std::jthread> helpers;
  for (std::size_t i = 1; i < std::min(wanted, rows.size()); ++i) helpers.emplace_back(work);
  work();
}

ErrorReport compare(std::span<const Row> exact, std::span<const double> actual, DType dtype) {
  double exact_square = 0;
  double error_square = 0;
  double rounding_square = 0;
  std::size_t index = 0;
  for (const Row& row : exact) {
    if (actual.size() - index < row.out.size()) {
      throw Error(ErrorCode::invalid_argument,
                  fmt::format("{} numbers to compare, fewer than the exact rows have", actual.size()));
    }
    for (const double value : row.out) {
      const double error = actual[index++] - value;
      const double rounding = round_to(dtype, value) - value;
      exact_square += value * value;
      error_square += error * error;
      rounding_square += rounding * rounding;
    }
  }
  if (index != actual.size()) {
    throw Error(ErrorCode::invalid_argument,
                fmt::format("{} numbers to compare, but the exact rows have {}", actual.size(), index));
  }
  const double norm = std::sqrt(exact_square);
  return {.error = std::sqrt(error_square) / norm, .rounding_error = std::sqrt(rounding_square) / norm};
}

}  // namespace flashbias::reference
