#pragma once

#include <cstdint>

#include "runtime/elements.hpp"

/// 16-bit numbers and floats.
namespace flashbias::emulator {

using runtime::float_of_bf16;
using runtime::float_of_f16;

/// Rounded to nearest, ties to even; what is too large becomes infinite.
[[nodiscard]] std::uint16_t f16_of(float number);
[[nodiscard]] std::uint16_t bf16_of(float number);

}  // namespace flashbias::emulator
