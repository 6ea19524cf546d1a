#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

#include "flashbias/types.hpp"

/// Elements of host tensors as numbers, exactly.
namespace flashbias::runtime {

inline float float_of_bf16(std::uint16_t bits) { return std::bit_cast<float>(std::uint32_t{bits} << 16); }

/// Branch-free: the exponent is rebiased by a multiplication, which is exact for subnormals too.
inline float float_of_f16(std::uint16_t bits) {
  constexpr float kRebias = 0x1p112F;  // 2^(127 - 15)
  const std::uint32_t sign = std::uint32_t{bits & 0x8000U} << 16;
  const std::uint32_t magnitude = std::uint32_t{bits & 0x7fffU} << 13;
  const float value = std::bit_cast<float>(magnitude) * kRebias;
  const std::uint32_t special = magnitude >= 0x0f800000U ? 0x7f800000U : 0U;  // infinity or NaN
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(value) | special | sign);
}

/// Converts `to.size()` elements that lie side by side, from element `offset` on.
void read_elements(const void* data, DType dtype, std::int64_t offset, std::span<double> to);

}  // namespace flashbias::runtime
