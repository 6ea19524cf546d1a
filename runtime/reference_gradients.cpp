#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <optional>
#include <random>

#include "flashbias/reference.hpp"
#include "runtime/input_gradients.hpp"
#include "runtime/parallel_for.hpp"
#include "runtime/reference_problem.hpp"
#include "runtime/shaken_gradients.hpp"

namespace flashbias::reference {
namespace {

using runtime::InputGradients;
using runtime::InputGradientSums;
using runtime::kInfinity;
using runtime::ReferenceProblem;

Array zeros_like(const TensorView& tensor) {
  Array array{.shape = {tensor.shape.begin(), tensor.shape.end()}, .numbers = {}};
  std::int64_t numbers = 1;
  for (const std::int64_t size : array.shape) numbers *= size;
  array.numbers.resize(static_cast<std::size_t>(numbers));
  return array;
}

/// The numbers of one token and head of an array [B, N, heads, dim].
std::span<double> token_of(Array& array, std::int64_t batch, std::int64_t token, std::int64_t head) {
  const auto dim = static_cast<std::size_t>(array.shape[3]);
  const std::int64_t row = (batch * array.shape[1] + token) * array.shape[2] + head;
  return std::span(array.numbers).subspan(static_cast<std::size_t>(row) * dim, dim);
}

double dot(std::span<const double> a, std::span<const double> b) {
  return std::transform_reduce(a.begin(), a.end(), b.begin(), 0.0);
}

/// to += factor * from
void add_scaled(std::span<double> to, double factor, std::span<const double> from) {
  for (std::size_t c = 0; c < to.size(); ++c) to[c] += factor * from[c];
}

/// What a row's numbers are multiplied with, one after another.
class RowShaking {
 public:
  RowShaking(const Shaking& shaking, std::int64_t row)
      : random_(shaking.seed + static_cast<std::uint64_t>(row) * kRows) {
    const double half_unit = shaking.dtype == DType::f16 ? 0x1p-11 : 0x1p-8;
    change_ = std::uniform_real_distribution<>(1 - half_unit, 1 + half_unit);
  }
  void shake(std::span<double> numbers) {
    for (double& number : numbers) number *= change_(random_);
  }

 private:
  static constexpr std::uint64_t kRows = 0x9e3779b97f4a7c15;  // an odd number: rows of few seeds do not meet

  std::mt19937_64 random_;
  std::uniform_real_distribution<> change_;
};

/// Computes the gradients of one query head after the other. Heads that share keys belong to one solver at a time.
class HeadSolver {
 public:
  HeadSolver(const ReferenceProblem& problem, const TensorView& dout, const InputGradients& inputs,
             const std::optional<Shaking>& shaking, Gradients& gradients)
      : problem_(problem),
        dout_(dout),
        shaking_(shaking),
        gradients_(gradients),
        inputs_(inputs),
        scores_of_row_(problem),
        query_(static_cast<std::size_t>(problem.q.shape[3])),
        key_(query_.size()),
        value_(static_cast<std::size_t>(problem.v.shape[3])),
        out_(value_.size()),
        out_gradient_(value_.size()) {}

  void solve(std::int64_t batch, std::int64_t head) {
    for (std::int64_t i = 0; i < problem_.sizes.q_length; ++i) solve_row(batch, head, i);
  }

  [[nodiscard]] const InputGradientSums& inputs() const { return inputs_; }

 private:
  void solve_row(std::int64_t batch, std::int64_t head, std::int64_t q_index) {
    const std::span<const double> scores = scores_of_row_(batch, head, q_index);
    const double maximum = runtime::maximum_of(scores);
    if (maximum == -kInfinity) return;

    const std::int64_t kv_head = problem_.kv_head(head);
    const auto for_each_key = [&](auto action) {
      for (std::size_t j = 0; j < scores.size(); ++j) {
        if (scores[j] != -kInfinity) action(j, static_cast<std::int64_t>(j));
      }
    };
    runtime::read_token(problem_.q, batch, q_index, head, query_);
    runtime::read_token(dout_, batch, q_index, head, out_gradient_);
    std::optional<RowShaking> shaking;
    if (shaking_) {
      shaking.emplace(*shaking_, (batch * problem_.sizes.heads + head) * problem_.sizes.q_length + q_index);
      shaking->shake(out_gradient_);
    }
    inputs_.set_row({.batch = batch,
                     .head = head,
                     .q_index = q_index,
                     .q_length = problem_.sizes.q_length,
                     .kv_length = problem_.sizes.kv_length});

    double sum = 0;
    for (const double score : scores) sum += std::exp(score - maximum);
    probabilities_.resize(scores.size());
    probability_gradients_.resize(scores.size());
    std::ranges::fill(out_, 0.0);
    for_each_key([&](std::size_t j, std::int64_t kv_index) {
      runtime::read_token(problem_.v, batch, kv_index, kv_head, value_);
      probabilities_[j] = std::exp(scores[j] - maximum) / sum;
      probability_gradients_[j] = dot(out_gradient_, value_);
      add_scaled(out_, probabilities_[j], value_);
    });
    if (shaking) shaking->shake(out_);
    const double mean_gradient = dot(out_gradient_, out_);
    const std::span<double> query_gradient = token_of(gradients_.q, batch, q_index, head);
    for_each_key([&](std::size_t j, std::int64_t kv_index) {
      const double score_gradient = probabilities_[j] * (probability_gradients_[j] - mean_gradient);
      const double product_gradient = problem_.softmax_scale * score_gradient;
      runtime::read_token(problem_.k, batch, kv_index, kv_head, key_);
      add_scaled(query_gradient, product_gradient, key_);
      add_scaled(token_of(gradients_.k, batch, kv_index, kv_head), product_gradient, query_);
      add_scaled(token_of(gradients_.v, batch, kv_index, kv_head), probabilities_[j], out_gradient_);
      inputs_.add(kv_index, score_gradient);
    });
  }

  const ReferenceProblem& problem_;
  const TensorView& dout_;
  const std::optional<Shaking>& shaking_;
  Gradients& gradients_;
  InputGradientSums inputs_;
  runtime::RowScores scores_of_row_;
  std::vector<double> query_;
  std::vector<double> key_;
  std::vector<double> value_;
  std::vector<double> out_;
  std::vector<double> out_gradient_;
  std::vector<double> probabilities_;
  std::vector<double> probability_gradients_;
};

Gradients solve(const AttentionConfig& config, const TensorView& q, const TensorView& k, const TensorView& v,
                const Inputs& bias_inputs, double softmax_scale, const TensorView& dout,
                const std::optional<std::vector<std::string>>& inputs_of_interest,
                const std::optional<Shaking>& shaking) {
  const ReferenceProblem problem(config, q, k, v, bias_inputs, softmax_scale);
  const runtime::ProblemSizes& sizes = problem.sizes;
  runtime::require_shape("dout", dout, "[B, Nq, H, Dv]", {sizes.batch, sizes.q_length, sizes.heads, v.shape[3]});
  runtime::require_readable("dout", dout);
  const InputGradients inputs(config, inputs_of_interest, bias_inputs, sizes);
  Gradients gradients{.q = zeros_like(q), .k = zeros_like(k), .v = zeros_like(v), .inputs = inputs.zeros()};

  // Heads with keys of their own go to a fixed number of solvers, so that sums over heads do not depend on threads.
  constexpr std::int64_t kMostSolvers = 16;
  const std::int64_t kv_heads = sizes.batch * sizes.kv_heads;
  const std::int64_t heads_of_kv_head = sizes.heads / sizes.kv_heads;
  std::vector<HeadSolver> solvers;
  for (std::int64_t i = 0; i < std::min(kMostSolvers, kv_heads); ++i)
    solvers.emplace_back(problem, dout, inputs, shaking, gradients);
  const auto num_solvers = static_cast<std::int64_t>(solvers.size());
  runtime::parallel_for(num_solvers, [&](std::int64_t solver) {
    for (std::int64_t item = solver; item < kv_heads; item += num_solvers) {
      const std::int64_t first_head = item % sizes.kv_heads * heads_of_kv_head;
      for (std::int64_t head = first_head; head < first_head + heads_of_kv_head; ++head)
        solvers[static_cast<std::size_t>(solver)].solve(item / sizes.kv_heads, head);
    }
  });
  for (const HeadSolver& solver : solvers) solver.inputs().add_to(gradients.inputs);
  return gradients;
}

}  // namespace

Gradients gradients(const AttentionConfig& config, const TensorView& q, const TensorView& k, const TensorView& v,
                    const Inputs& bias_inputs, double softmax_scale, const TensorView& dout,
                    const std::optional<std::vector<std::string>>& inputs_of_interest) {
  return solve(config, q, k, v, bias_inputs, softmax_scale, dout, inputs_of_interest, std::nullopt);
}

Gradients shaken_gradients(const AttentionConfig& config, const TensorView& q, const TensorView& k, const TensorView& v,
                           const Inputs& bias_inputs, double softmax_scale, const TensorView& dout,
                           const std::vector<std::string>& inputs_of_interest, const Shaking& shaking) {
  return solve(config, q, k, v, bias_inputs, softmax_scale, dout, inputs_of_interest, shaking);
}

}  // namespace flashbias::reference
