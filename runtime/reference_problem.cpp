#include "runtime/reference_problem.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "codegen/inputs.hpp"
#include "runtime/elements.hpp"

namespace flashbias::runtime {
namespace {

/// The sizes, once all three tensors are known to be readable.
ProblemSizes checked_sizes(const AttentionConfig& config, const TensorView& q, const TensorView& k,
                           const TensorView& v) {
  const ProblemSizes sizes = problem_sizes(config, q, k, v);
  require_readable("q", q);
  require_readable("k", k);
  require_readable("v", v);
  return sizes;
}

}  // namespace

BindInput bind_inputs(const AttentionConfig& config, const reference::Inputs& inputs, const ProblemSizes& sizes) {
  return [&inputs, sizes, dtype = config.dtype](const Expr& input) -> BoundInput {
    const TensorView& tensor = find_input(inputs, input.node().name);
    const InputSpec spec = codegen::input_spec(input, dtype);
    return {.tensor = tensor, .strides = bind_bias_tensor(spec, tensor, sizes)};
  };
}

ReferenceProblem::ReferenceProblem(const AttentionConfig& config, const TensorView& queries, const TensorView& keys,
                                   const TensorView& values, const reference::Inputs& bias_inputs, double scale)
    : causal(config.causal),
      q(queries),
      k(keys),
      v(values),
      softmax_scale(scale),
      sizes(checked_sizes(config, queries, keys, values)),
      bias(config.bias, bind_inputs(config, bias_inputs, sizes)) {}

std::int64_t ReferenceProblem::visible_keys(std::int64_t q_index) const {
  if (!causal) return sizes.kv_length;
  return std::clamp<std::int64_t>(q_index + sizes.kv_length - sizes.q_length + 1, 0, sizes.kv_length);
}

void require_readable(std::string_view name, const TensorView& tensor) {
  if (tensor.strides[3] != 1 && tensor.shape[3] > 1) {
    reject(name, tensor, "its last dimension must be contiguous (stride 1)");
  }
}

void read_token(const TensorView& tensor, std::int64_t batch, std::int64_t token, std::int64_t head,
                std::span<double> to) {
  const std::int64_t offset = batch * tensor.strides[0] + token * tensor.strides[1] + head * tensor.strides[2];
  read_elements(tensor.data, tensor.dtype, offset, to);
}

RowScores::RowScores(const ReferenceProblem& problem)
    : problem_(problem),
      bias_(problem.bias),
      query_(static_cast<std::size_t>(problem.q.shape[3])),
      key_(query_.size()) {}

std::span<double> RowScores::operator()(std::int64_t batch, std::int64_t head, std::int64_t q_index) {
  const ProblemSizes& sizes = problem_.sizes;
  scores_.resize(static_cast<std::size_t>(problem_.visible_keys(q_index)));
  read_token(problem_.q, batch, q_index, head, query_);
  bias_.set_row(
      {.batch = batch, .head = head, .q_index = q_index, .q_length = sizes.q_length, .kv_length = sizes.kv_length});
  for (std::size_t j = 0; j < scores_.size(); ++j) {
    const auto kv_index = static_cast<std::int64_t>(j);
    read_token(problem_.k, batch, kv_index, problem_.kv_head(head), key_);
    const double product = std::transform_reduce(query_.begin(), query_.end(), key_.begin(), 0.0);
    scores_[j] = problem_.softmax_scale * product + bias_.at(kv_index);
  }
  return scores_;
}

double maximum_of(std::span<const double> scores) {
  double maximum = -std::numeric_limits<double>::infinity();
  for (const double score : scores) {
    if (score > maximum || std::isnan(score)) maximum = score;
  }
  return maximum;
}

}  // namespace flashbias::runtime
