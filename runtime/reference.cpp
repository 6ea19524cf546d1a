#include "flashbias/reference.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>

#include "flashbias/error.hpp"
#include "runtime/parallel_for.hpp"
#include "runtime/reference_problem.hpp"

namespace flashbias::reference {
namespace {

using runtime::kInfinity;
using runtime::ProblemSizes;
using runtime::ReferenceProblem;

/// Computes rows, one at a time, reusing its buffers.
class RowSolver {
 public:
  explicit RowSolver(const ReferenceProblem& problem)
      : problem_(problem), scores_of_row_(problem), value_(static_cast<std::size_t>(problem.v.shape[3])) {}

  void solve(Row& row) {
    const std::span<double> scores = scores_of_row_(row.batch, row.head, row.q_index);
    const double maximum = runtime::maximum_of(scores);
    row.out.assign(value_.size(), 0.0);
    row.log_sum_exp = -kInfinity;
    if (maximum == -kInfinity) return;

    double sum = 0;
    for (double& score : scores) sum += score = std::exp(score - maximum);
    row.log_sum_exp = maximum + std::log(sum);
    for (std::size_t j = 0; j < scores.size(); ++j) {
      runtime::read_token(problem_.v, row.batch, static_cast<std::int64_t>(j), problem_.kv_head(row.head), value_);
      for (std::size_t c = 0; c < value_.size(); ++c) row.out[c] += scores[j] * value_[c];
    }
    for (double& number : row.out) number /= sum;
  }

 private:
  const ReferenceProblem& problem_;
  runtime::RowScores scores_of_row_;
  std::vector<double> value_;
};

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
  const ReferenceProblem problem(config, q, k, v, bias_inputs, softmax_scale);
  for (const Row& row : rows) require_inside(problem.sizes, row);

  std::atomic<std::size_t> next = 0;
  const std::int64_t wanted = threads > 0 ? threads : runtime::core_count();
  const auto solvers = std::min(wanted, static_cast<std::int64_t>(rows.size()));
  runtime::parallel_for(solvers, [&](std::int64_t /*solver*/) {
    RowSolver solver(problem);
    for (std::size_t i = next++; i < rows.size(); i = next++) solver.solve(rows[i]);
  });
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
  const double norm = exact_square == 0 ? 1 : std::sqrt(exact_square);
  return {.error = std::sqrt(error_square) / norm, .rounding_error = std::sqrt(rounding_square) / norm};
}

}  // namespace flashbias::reference
