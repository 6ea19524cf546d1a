#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>

#include "flashbias/types.hpp"

namespace flashbias {

/// A tensor of at most four dimensions that somebody else owns. Strides count elements.
struct TensorView {
  static constexpr int kMaxRank = 4;

  void* data = nullptr;
  DType dtype = DType::f16;
  int rank = 0;
  std::array<std::int64_t, kMaxRank> shape{};
  std::array<std::int64_t, kMaxRank> strides{};
  int device = 0;  ///< CUDA device ordinal; -1: host memory

  /// Row-major, densely packed.
  [[nodiscard]] static TensorView contiguous(void* data, DType dtype, std::initializer_list<std::int64_t> shape,
                                             int device = 0);
};

/// `f16 [2, 128, 8, 64] strides [65536, 512, 64, 1] on device 0`.
[[nodiscard]] std::string to_string(const TensorView& tensor);

}  // namespace flashbias
