#include "tests/emulator/half.hpp"

#include <bit>
#include <cmath>

namespace flashbias::emulator {

std::uint16_t f16_of(float number) {
  const auto sign = static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(number) >> 16 & 0x8000U);
  if (std::isnan(number)) return 0x7fff;
  const float magnitude = std::fabs(number);
  if (magnitude >= 65520) return sign | 0x7c00U;
  // Below 2^-14, numbers are multiples of 2^-24; from there on, of 2^(exponent - 10).
  const int exponent = magnitude < 0x1p-14F ? -14 : std::ilogb(magnitude);
  const auto units = static_cast<std::uint32_t>(std::nearbyint(std::ldexp(magnitude, 10 - exponent)));
  // A carry out of the fraction belongs into the exponent: hence the sums.
  const auto base = static_cast<std::uint32_t>(exponent + 14) << 10;
  return static_cast<std::uint16_t>(sign | (base + units));
}

std::uint16_t bf16_of(float number) {
  if (std::isnan(number)) return 0x7fff;
  const auto bits = std::bit_cast<std::uint32_t>(number);
  return static_cast<std::uint16_t>((bits + 0x7fffU + (bits >> 16 & 1U)) >> 16);
}

}  // namespace flashbias::emulator
