#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "flashbias/tensor.hpp"

namespace flashbias::tools {

/// A densely packed tensor in host memory.
struct HostTensor {
  DType dtype = DType::f32;
  std::vector<std::int64_t> shape;
  std::vector<std::byte> data;

  /// Zeros. At most TensorView::kMaxRank dimensions.
  HostTensor(DType type, std::vector<std::int64_t> sizes);

  [[nodiscard]] std::int64_t elements() const;
  [[nodiscard]] TensorView view() const;
};

/// `f16 [2, 128, 8, 64]`.
[[nodiscard]] std::string to_string(const HostTensor& tensor);

/// The same numbers in another dtype, rounded.
[[nodiscard]] HostTensor convert(const HostTensor& tensor, DType dtype);

}  // namespace flashbias::tools
