#include "tools/host_tensor.hpp"

#include <fmt/format.h>

#include <functional>
#include <numeric>

#include "flashbias/error.hpp"
#include "flashbias/reference.hpp"

namespace flashbias::tools {
HostTensor::HostTensor(DType type, std::vector<std::int64_t> sizes) : dtype(type), shape(std::move(sizes)) {
  if (shape.size() > TensorView::kMaxRank) {
    throw Error(ErrorCode::invalid_argument,
                fmt::format("a tensor has {} dimensions; at most {} are accepted", shape.size(), TensorView::kMaxRank));
  }
  data.resize(static_cast<std::size_t>(elements() * size_of(dtype)));
}

std::int64_t HostTensor::elements() const {
  return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
}

TensorView HostTensor::view() const {
  TensorView view{.data = const_cast<std::byte*>(data.data()),
                  .dtype = dtype,
                  .rank = static_cast<int>(shape.size()),
                  .shape = {},
                  .strides = {},
                  .device = -1};
  std::int64_t stride = 1;
  for (std::size_t i = shape.size(); i-- > 0;) {
    view.shape.at(i) = shape[i];
    view.strides.at(i) = stride;
    stride *= shape[i];
  }
  return view;
}

std::string to_string(const HostTensor& tensor) {
  return fmt::format("{} [{}]", to_string(tensor.dtype), fmt::join(tensor.shape, ", "));
}

HostTensor convert(const HostTensor& tensor, DType dtype) {
  if (tensor.dtype == dtype) return tensor;
  HostTensor result(dtype, tensor.shape);
  const TensorView from = tensor.view();
  const TensorView to = result.view();
  for (std::int64_t i = 0; i < tensor.elements(); ++i) {
    reference::write_element(to, i, reference::read_element(from, i));
  }
  return result;
}

}  // namespace flashbias::tools
