#pragma once

#include <cstdint>
#include <functional>
#include <map>
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

/// Error of `actual` (dtype-rounded kernel output rows, flattened) against the exact rows, and that of rounding the
/// exact rows to the dtype: ||x - exact|| / ||exact||, both over all rows together.
struct ErrorReport {
  double error = 0;
  double rounding_error = 0;
  [[nodiscard]] double ratio() const { return error / rounding_error; }
};
[[nodiscard]] ErrorReport compare(std::span<const Row> exact, std::span<const double> actual, DType dtype);

/// Nearest value of the dtype (ties to even). Beyond its range: infinity, or the nearest end for integers, where NaN
/// gives 0.
[[nodiscard]] double round_to(DType dtype, double value);

}  // namespace flashbias::reference
