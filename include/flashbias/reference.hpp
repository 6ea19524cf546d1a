#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "flashbias/config.hpp"
#include "flashbias/plan.hpp"
#include "flashbias/tensor.hpp"

/// Attention in float64 on the host: what every kernel is checked against.
namespace flashbias::reference {

/// Where a bias expression is evaluated.
struct Point {
  std::int64_t batch = 0, head = 0, q_index = 0, kv_index = 0;
  std::int64_t q_length = 1, kv_length = 1;
};

/// Host tensors by input name (TensorView::device is ignored).
using Inputs = std::map<std::string, TensorView, std::less<>>;

/// Value of a scalar expression at a point, in float64 (integers in int64; an integer divided by 0 gives 0). An input
/// whose expression leaves the dtype open has that of its tensor.
/// Throws Error(invalid_argument) for an input that is missing or does not fit, or a point outside an input.
[[nodiscard]] double evaluate(const Expr& expr, const Point& point, const Inputs& inputs);

/// The element of a host tensor that lies `offset` elements behind its first one, as a double.
[[nodiscard]] double read_element(const TensorView& tensor, std::int64_t offset);
/// Stores round_to(tensor.dtype, value) there.
void write_element(const TensorView& tensor, std::int64_t offset, double value);

struct Row {
  std::int64_t batch = 0, head = 0, q_index = 0;
  std::vector<double> out;  ///< Dv numbers; zeros for a fully masked row
  double log_sum_exp = 0;   ///< -infinity for a fully masked row
};

/// Fills in the rows asked for (batch, head and q_index are read from each), on `threads` threads (0: all cores).
/// Shapes as in AttentionArguments; q, k and v may have any strides whose last is 1, and any dtype.
/// Throws Error(invalid_argument) for tensors that do not fit the config or each other, or a row outside them.
void attention(const AttentionConfig& config, const TensorView& q, const TensorView& k, const TensorView& v,
               const Inputs& bias_inputs, double softmax_scale, std::span<Row> rows, int threads = 0);

/// Numbers in row-major order.
struct Array {
  std::vector<std::int64_t> shape;
  std::vector<double> numbers;
};

/// What a small change of each operand changes of sum(dout * out).
struct Gradients {
  Array q;  ///< [B, Nq, H, D]
  Array k;  ///< [B, Nk, Hk, D]: summed over the query heads that share a key head
  Array v;  ///< [B, Nk, Hk, Dv]: likewise
  /// By input of the bias, each of its tensor's own shape: summed over the batch items, heads and entries that share a
  /// number because a dimension is 1 or missing.
  std::map<std::string, Array, std::less<>> inputs;
};

/// Gradients of attention, on all cores; the same on every run. Shapes as in AttentionArguments; dout [B, Nq, H, Dv] is
/// the gradient of the output. q, k, v and dout may have any strides whose last is 1, and any dtype.
/// `inputs_of_interest` names inputs of the bias, tables among them; where it is absent, all those that hold real
/// numbers are meant.
///
/// The formulas are those of FlashAttention (Dao et al. 2022, appendix B.2), with b for the bias and sums over keys j
/// and queries i: P = softmax(scale q k^T + b), dP = dout v^T, dS = P * (dP - sum_j P dP), dq = scale dS k, dk = scale
/// dS^T q, dv = P^T dout, and dx = sum dS * db/dx for an input x of the bias, with corners differentiated as in
/// PyTorch: abs has derivative 0 at 0, equal operands of max and min share evenly. A score of -infinity is hidden: it
/// contributes to no gradient, whatever its derivative; rows of such scores alone give zeros.
///
/// Throws Error(invalid_argument) for tensors that do not fit the config or each other, Error(invalid_config) for an
/// input that the bias does not read or that holds integers.
[[nodiscard]] Gradients gradients(const AttentionConfig& config, const TensorView& q, const TensorView& k,
                                  const TensorView& v, const Inputs& bias_inputs, double softmax_scale,
                                  const TensorView& dout,
                                  const std::optional<std::vector<std::string>>& inputs_of_interest = {});

/// Error of `actual` (dtype-rounded kernel output rows, flattened) against the exact rows, and that of rounding the
/// exact rows to the dtype: ||x - exact|| / ||exact||, both over all rows together; absolute where exact is 0. A NaN is
/// beyond every bound.
struct ErrorReport {
  double error = 0;
  double rounding_error = 0;
  /// 0 for results without error: also where rounding makes none, which is divided by otherwise.
  [[nodiscard]] double ratio() const { return error == 0 ? 0 : error / rounding_error; }
};
[[nodiscard]] ErrorReport compare(std::span<const Row> exact, std::span<const double> actual, DType dtype);

/// How far one gradient is from float64.
struct GradientError {
  std::string name;  ///< q, k, v or an input of the bias
  double error = 0;  ///< ||gradient - exact||
  /// What 16 bits cost whoever computes it: that of rounding the exact gradient to the dtype of q, or of changes of
  /// dout and out that are as small as their rounding, whichever is larger. What is a small rest of large terms suffers
  /// most: gradients of scores near P = 1, sums over them that vanish.
  double inevitable = 0;
  std::int64_t numbers = 0;  ///< of the gradient
  [[nodiscard]] double ratio() const { return inevitable > 0 ? error / inevitable : error; }
  /// The ratio that is accepted. Probabilities and gradients of scores are rounded to 16 bits on the way, too, and each
  /// costs less than what is inevitable (406 gradients of random problems had ratios up to 1.3); errors of few numbers
  /// vary from sample to sample.
  [[nodiscard]] double accepted() const {
    return 2 * (1 + 3 / std::sqrt(static_cast<double>(std::max<std::int64_t>(numbers, 1))));
  }
};
/// Errors of the gradients that a kernel computed, host tensors by name with any strides, in the order of their names.
/// The other arguments are those of `gradients`, which this computes several times, as are the errors thrown; also
/// Error(invalid_argument) for a gradient of another shape than what it is of.
[[nodiscard]] std::vector<GradientError> gradient_errors(const AttentionConfig& config, const TensorView& q,
                                                         const TensorView& k, const TensorView& v,
                                                         const Inputs& bias_inputs, double softmax_scale,
                                                         const TensorView& dout, const Inputs& computed);

/// Nearest value of the dtype (ties to even). Beyond its range: infinity, or the nearest end for integers, where NaN
/// gives 0.
[[nodiscard]] double round_to(DType dtype, double value);

}  // namespace flashbias::reference
