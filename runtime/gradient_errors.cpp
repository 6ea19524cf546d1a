#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "flashbias/error.hpp"
#include "flashbias/reference.hpp"
#include "runtime/shaken_gradients.hpp"

namespace flashbias::reference {
namespace {

/// Calls action(offset) for each element, in row-major order.
template <class Action>
void for_each_element(const TensorView& tensor, Action action) {
  const auto rank = static_cast<std::size_t>(tensor.rank);
  std::int64_t count = 1;
  for (std::size_t d = 0; d < rank; ++d) count *= tensor.shape.at(d);
  std::array<std::int64_t, TensorView::kMaxRank> index{};
  for (std::int64_t n = 0; n < count; ++n) {
    std::int64_t offset = 0;
    for (std::size_t d = 0; d < rank; ++d) offset += index.at(d) * tensor.strides.at(d);
    action(offset);
    for (std::size_t d = rank; d-- > 0;) {
      if (++index.at(d) < tensor.shape.at(d)) break;
      index.at(d) = 0;
    }
  }
}

const Array& gradient_of(const std::string& name, const Gradients& gradients) {
  if (name == "q") return gradients.q;
  if (name == "k") return gradients.k;
  return name == "v" ? gradients.v : gradients.inputs.at(name);
}

void require_shape_of(const Array& exact, const std::string& name, const TensorView& computed) {
  const auto rank = static_cast<std::size_t>(computed.rank);
  if (std::ranges::equal(exact.shape, std::span(computed.shape).first(rank))) return;
  throw Error(ErrorCode::invalid_argument, fmt::format("the gradient of {} is {}; it must have the shape [{}]", name,
                                                       to_string(computed), fmt::join(exact.shape, ", ")));
}

/// One change of few numbers may by chance change a gradient by little: of them, the mean of many counts.
std::uint64_t changes_of(const TensorView& dout) {
  constexpr std::int64_t kNumbers = 32768;
  constexpr std::int64_t kMostChanges = 16;
  const std::int64_t numbers = dout.shape[0] * dout.shape[1] * dout.shape[2] * dout.shape[3];
  return static_cast<std::uint64_t>(
      std::clamp<std::int64_t>(kNumbers / std::max<std::int64_t>(numbers, 1), 1, kMostChanges));
}

/// `changed`: shaken gradients.
GradientError error_of(const std::string& name, const TensorView& computed, const Array& exact,
                       const std::vector<Gradients>& changed, DType dtype) {
  require_shape_of(exact, name, computed);
  double error = 0;
  double rounding = 0;
  double change = 0;
  std::size_t n = 0;
  for_each_element(computed, [&](std::int64_t offset) {
    const std::size_t i = n++;
    const double value = exact.numbers.at(i);
    const double actual = read_element(computed, offset);
    if (std::isnan(value) && std::isnan(actual)) return;
    error += std::pow(actual - value, 2);
    rounding += std::pow(round_to(dtype, value) - value, 2);
    for (const Gradients& gradients : changed)
      change += std::pow(gradient_of(name, gradients).numbers.at(i) - value, 2) / static_cast<double>(changed.size());
  });
  return {.name = name,
          .error = std::sqrt(error),
          .inevitable = std::sqrt(std::max(rounding, change)),
          .numbers = static_cast<std::int64_t>(n)};
}

}  // namespace

std::vector<GradientError> gradient_errors(const AttentionConfig& config, const TensorView& q, const TensorView& k,
                                           const TensorView& v, const Inputs& bias_inputs, double softmax_scale,
                                           const TensorView& dout, const Inputs& computed) {
  std::vector<std::string> inputs;
  for (const auto& [name, unused] : computed)
    if (name != "q" && name != "k" && name != "v") inputs.push_back(name);
  const Gradients exact = gradients(config, q, k, v, bias_inputs, softmax_scale, dout, inputs);
  std::vector<Gradients> others;
  for (std::uint64_t seed = 0; seed < changes_of(dout); ++seed)
    others.push_back(shaken_gradients(config, q, k, v, bias_inputs, softmax_scale, dout, inputs,
                                      {.dtype = config.dtype, .seed = seed}));

  std::vector<GradientError> errors;
  for (const auto& [name, gradient] : computed)
    errors.push_back(error_of(name, gradient, gradient_of(name, exact), others, config.dtype));
  return errors;
}

}  // namespace flashbias::reference
