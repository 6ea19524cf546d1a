#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "flashbias/config.hpp"
#include "flashbias/reference.hpp"
#include "flashbias/tensor.hpp"
#include "runtime/flat_bias.hpp"
#include "runtime/problem_sizes.hpp"

namespace flashbias::runtime {

/// Where the numbers of a bias input lie, in a problem of these sizes; an input that leaves its dtype open has that of
/// the config. The binding throws Error(invalid_argument) for an input that is missing or does not fit.
[[nodiscard]] BindInput bind_inputs(const AttentionConfig& config, const reference::Inputs& inputs,
                                    const ProblemSizes& sizes);

inline constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// One attention problem on the host, checked.
struct ReferenceProblem {
  /// Throws Error(invalid_argument) for tensors that do not fit the config or each other.
  ReferenceProblem(const AttentionConfig& config, const TensorView& q, const TensorView& k, const TensorView& v,
                   const reference::Inputs& bias_inputs, double softmax_scale);

  bool causal;
  TensorView q;
  TensorView k;
  TensorView v;
  double softmax_scale;
  ProblemSizes sizes;
  FlatBias bias;

  /// Keys that the causal mask lets a query see; they are the first ones.
  [[nodiscard]] std::int64_t visible_keys(std::int64_t q_index) const;
  /// Head of the keys and values that a query head meets.
  [[nodiscard]] std::int64_t kv_head(std::int64_t head) const { return head / (sizes.heads / sizes.kv_heads); }
};

/// A tensor [B, N, heads, dim] of which rows are read. Throws Error(invalid_argument) unless its last stride is 1.
void require_readable(std::string_view name, const TensorView& tensor);

/// Converts the numbers of one token and head of a tensor [B, N, heads, dim].
void read_token(const TensorView& tensor, std::int64_t batch, std::int64_t token, std::int64_t head,
                std::span<double> to);

/// Computes the scores of one query after the other, reusing its buffers.
class RowScores {
 public:
  explicit RowScores(const ReferenceProblem& problem);

  /// softmax_scale * q k^T + bias for the keys that the causal mask leaves; valid until the next call.
  [[nodiscard]] std::span<double> operator()(std::int64_t batch, std::int64_t head, std::int64_t q_index);

 private:
  const ReferenceProblem& problem_;
  BiasEvaluator bias_;
  std::vector<double> query_;
  std::vector<double> key_;
  std::vector<double> scores_;
};

/// The greatest score, or NaN if there is one: it becomes the maximum, and so everything. -infinity for none.
[[nodiscard]] double maximum_of(std::span<const double> scores);

}  // namespace flashbias::runtime
