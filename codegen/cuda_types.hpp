#pragma once

#include <string_view>

#include "flashbias/types.hpp"

namespace flashbias::codegen {

/// Name of an input's element type, see templates/input_types.cuh.
[[nodiscard]] constexpr std::string_view cuda_element_type(DType dtype) {
  switch (dtype) {
    case DType::f16:
      return "f16";
    case DType::bf16:
      return "bf16";
    case DType::f32:
      return "float";
    case DType::i32:
      return "int";
    case DType::u8:
      return "u8";
  }
  return "float";
}

}  // namespace flashbias::codegen
