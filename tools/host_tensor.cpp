#include "tools/host_tensor.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <new>
#include <numeric>

#include "flashbias/error.hpp"
#include "flashbias/reference.hpp"

namespace flashbias::tools {
namespace {

/// Of all elements. Throws std::bad_alloc where no process could address as many.
std::size_t bytes_of(const HostTensor& tensor) {
  constexpr std::int64_t kMost = std::int64_t{1} << 47;
  if (std::ranges::count(tensor.shape, 0) > 0) return 0;
  std::int64_t bytes = size_of(tensor.dtype);
  for (const std::int64_t size : tensor.shape)
    if (__builtin_mul_overflow(bytes, size, &bytes)) throw std::bad_alloc();
  if (bytes < 0 || bytes > kMost) throw std::bad_alloc();
  return static_cast<std::size_t>(bytes);
}

}  // namespace

HostTensor::HostTensor(DType type, std::vector<std::int64_t> sizes) : dtype(type), shape(std::move(sizes)) {
  if (shape.size() > TensorView::kMaxRank) {
    throw Error(ErrorCode::invalid_argument,
                fmt::format("a tensor has {} dimensions; at most {} are accepted", shape.size(), TensorView::kMaxRank));
  }
  try {
    data.resize(bytes_of(*this));
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::invalid_argument, fmt::format("a tensor {} is larger than memory", to_string(*this)));
  }
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
