#pragma once

#include <dlpack/dlpack.h>

#include <string_view>

#include "flashbias/tensor.hpp"

namespace flashbias::runtime {

/// The view of a DLPack tensor: in CUDA memory, of at most four dimensions, dtype float16, bfloat16, float32, int32,
/// uint8 or bool (as u8). Strides that are NULL stand for row-major ones; byte_offset counts.
/// Throws Error(invalid_argument) that names the tensor, what it is and what is accepted.
[[nodiscard]] TensorView view_of(std::string_view name, const DLTensor* tensor);

}  // namespace flashbias::runtime
