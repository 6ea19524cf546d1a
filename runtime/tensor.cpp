#include "flashbias/tensor.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>

#include "flashbias/error.hpp"

namespace flashbias {

TensorView TensorView::contiguous(void* data, DType dtype, std::initializer_list<std::int64_t> shape, int device) {
  if (shape.size() > kMaxRank) {
    throw Error(ErrorCode::invalid_argument,
                fmt::format("a tensor of {} dimensions: at most {} are supported", shape.size(), kMaxRank));
  }
  TensorView view{.data = data, .dtype = dtype, .rank = static_cast<int>(shape.size()), .device = device};
  std::ranges::copy(shape, view.shape.begin());
  std::int64_t stride = 1;
  for (std::size_t i = shape.size(); i-- > 0;) {
    view.strides[i] = stride;
    stride *= view.shape[i];
  }
  return view;
}

std::string to_string(const TensorView& tensor) {
  const auto rank = static_cast<std::ptrdiff_t>(std::clamp(tensor.rank, 0, TensorView::kMaxRank));
  const auto list = [rank](const auto& values) {
    return fmt::format("[{}]", fmt::join(values.begin(), values.begin() + rank, ", "));
  };
  const std::string place = tensor.device < 0 ? "on the host" : fmt::format("on device {}", tensor.device);
  return fmt::format("{} {} strides {} {}", to_string(tensor.dtype), list(tensor.shape), list(tensor.strides), place);
}

}  // namespace flashbias
