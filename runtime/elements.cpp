#include "runtime/elements.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "flashbias/error.hpp"
#include "flashbias/reference.hpp"

namespace flashbias {
namespace runtime {
namespace {

/// A binary floating-point format.
struct Format {
  int significant_bits;
  int min_exponent;  ///< of a normal number
  double max;        ///< largest finite value
};

constexpr Format kF16{11, -14, 65504.0};
constexpr Format kBf16{8, -126, 0x1.fep127};
constexpr Format kF32{24, -126, std::numeric_limits<float>::max()};

/// Nearest value, ties to even; beyond the largest finite value by half a step or more: infinity.
double round_to_format(const Format& format, double value) {
  if (!std::isfinite(value) || value == 0) return value;
  const int exponent = std::max(std::ilogb(value), format.min_exponent);
  const int step = exponent - (format.significant_bits - 1);
  const double rounded = std::ldexp(std::nearbyint(std::ldexp(value, -step)), step);
  return std::abs(rounded) <= format.max ? rounded : std::copysign(std::numeric_limits<double>::infinity(), value);
}

/// Nearest integer in the range of the type; NaN gives 0.
template <typename Integer>
double round_to_integer(double value) {
  if (std::isnan(value)) return 0;
  return std::clamp(std::nearbyint(value), static_cast<double>(std::numeric_limits<Integer>::min()),
                    static_cast<double>(std::numeric_limits<Integer>::max()));
}

/// Bits of a value that f16 holds exactly.
std::uint16_t f16_of_exact(double value) {
  const auto sign = static_cast<std::uint16_t>(std::signbit(value) ? 0x8000 : 0);
  if (std::isnan(value)) return static_cast<std::uint16_t>(sign | 0x7e00);
  if (std::isinf(value)) return static_cast<std::uint16_t>(sign | 0x7c00);
  const double magnitude = std::abs(value);
  if (magnitude < 0x1p-14) return static_cast<std::uint16_t>(sign | static_cast<int>(magnitude * 0x1p24));
  const int exponent = std::ilogb(magnitude);
  const int fraction = static_cast<int>(std::ldexp(magnitude, 10 - exponent)) - 1024;
  return static_cast<std::uint16_t>(sign | ((exponent + 15) << 10) | fraction);
}

template <typename Stored, typename Convert>
void read_stored(const void* data, std::int64_t offset, std::span<double> to, Convert convert) {
  const Stored* from = static_cast<const Stored*>(data) + offset;
  for (std::size_t i = 0; i < to.size(); ++i) to[i] = static_cast<double>(convert(from[i]));
}

}  // namespace

void read_elements(const void* data, DType dtype, std::int64_t offset, std::span<double> to) {
  const auto as_is = [](auto stored) { return stored; };
  switch (dtype) {
    case DType::f16:
      return read_stored<std::uint16_t>(data, offset, to, float_of_f16);
    case DType::bf16:
      return read_stored<std::uint16_t>(data, offset, to, float_of_bf16);
    case DType::f32:
      return read_stored<float>(data, offset, to, as_is);
    case DType::i32:
      return read_stored<std::int32_t>(data, offset, to, as_is);
    case DType::u8:
      return read_stored<std::uint8_t>(data, offset, to, as_is);
  }
}

}  // namespace runtime

namespace reference {

double round_to(DType dtype, double value) {
  switch (dtype) {
    case DType::f16:
      return runtime::round_to_format(runtime::kF16, value);
    case DType::bf16:
      return runtime::round_to_format(runtime::kBf16, value);
    case DType::f32:
      return runtime::round_to_format(runtime::kF32, value);
    case DType::i32:
      return runtime::round_to_integer<std::int32_t>(value);
    case DType::u8:
      return runtime::round_to_integer<std::uint8_t>(value);
  }
  return value;
}

double read_element(const TensorView& tensor, std::int64_t offset) {
  double value = 0;
  runtime::read_elements(tensor.data, tensor.dtype, offset, {&value, 1});
  return value;
}

void write_element(const TensorView& tensor, std::int64_t offset, double value) {
  const double rounded = round_to(tensor.dtype, value);
  switch (tensor.dtype) {
    case DType::f16:
      static_cast<std::uint16_t*>(tensor.data)[offset] = runtime::f16_of_exact(rounded);
      break;
    case DType::bf16:
      static_cast<std::uint16_t*>(tensor.data)[offset] =
          static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(static_cast<float>(rounded)) >> 16);
      break;
    case DType::f32:
      static_cast<float*>(tensor.data)[offset] = static_cast<float>(rounded);
      break;
    case DType::i32:
      static_cast<std::int32_t*>(tensor.data)[offset] = static_cast<std::int32_t>(rounded);
      break;
    case DType::u8:
      static_cast<std::uint8_t*>(tensor.data)[offset] = static_cast<std::uint8_t>(rounded);
      break;
  }
}

}  // namespace reference
}  // namespace flashbias
