#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "flashbias/config.hpp"
#include "flashbias/reference.hpp"
#include "runtime/bias_tensors.hpp"
#include "runtime/flat_bias.hpp"
#include "runtime/problem_sizes.hpp"

namespace flashbias::runtime {

/// The derivatives of a bias with respect to its inputs, ready for evaluation at many scores. Immutable; many
/// InputGradientSums may use it at a time.
class InputGradients {
 public:
  /// `names`: as in reference::gradients, and with its errors.
  InputGradients(const AttentionConfig& config, const std::optional<std::vector<std::string>>& names,
                 const reference::Inputs& inputs, const ProblemSizes& sizes);

  /// Zeros in the shape of each input's tensor.
  [[nodiscard]] std::map<std::string, reference::Array, std::less<>> zeros() const;

 private:
  friend class InputGradientSums;

  struct Input {
    std::string name;
    Op kind = Op::head_scalar;
    std::vector<std::int64_t> shape;
    BiasStrides strides;  ///< of a contiguous tensor of that shape
    std::int64_t entries = 1;
  };

  /// One derivative, and the numbers of the input's gradient to which it counts.
  struct Derivative {
    std::size_t input = 0;                     ///< among inputs_
    std::size_t expression = 0;                ///< among those of derivatives_
    std::int64_t component = 0;                ///< of a token
    std::optional<std::size_t> table_index{};  ///< among those of derivatives_
  };

  void add_input(const AttentionConfig& config, const InputSpec& spec, const TensorView& tensor,
                 std::vector<Expr>& expressions);

  std::vector<Input> inputs_;
  std::vector<Derivative> derivatives_;
  std::optional<FlatBias> expressions_;
};

/// Adds up the gradients of the inputs over scores.
class InputGradientSums {
 public:
  explicit InputGradientSums(const InputGradients& gradients);

  /// Moves to a query row; kv_index of the point is ignored.
  void set_row(const reference::Point& row);
  /// Counts the score of the row at that key, whose gradient is `score_gradient`.
  void add(std::int64_t kv_index, double score_gradient);
  /// Adds what was counted to arrays made by InputGradients::zeros.
  void add_to(std::map<std::string, reference::Array, std::less<>>& arrays) const;

 private:
  [[nodiscard]] std::int64_t offset(const InputGradients::Derivative& derivative, std::int64_t kv_index) const;

  const InputGradients& gradients_;
  BiasEvaluator evaluator_;
  reference::Point row_;
  std::vector<std::vector<double>> sums_;  ///< by input
};

}  // namespace flashbias::runtime
