#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

/// What cuTensorMapEncodeTiled is told, and the copy engine then knows.
namespace flashbias::emulator {

enum class Swizzle : std::uint8_t { none, bytes_32, bytes_64, bytes_128 };  // in CUtensorMapSwizzle's order

struct TensorMap {
  const std::byte* address = nullptr;
  std::array<std::uint64_t, 4> sizes{};
  std::array<std::uint64_t, 3> strides{};  ///< in bytes, but that of the first dimension
  std::array<std::uint32_t, 4> box{};
  std::uint32_t element_bytes = 0;
  Swizzle swizzle = Swizzle::none;
};

/// Where the byte of that address of shared memory truly lies: bits 4.. are exchanged by bits 7.. of it.
[[nodiscard]] constexpr std::uint64_t swizzled(std::uint64_t address, Swizzle swizzle) {
  constexpr std::array<std::uint64_t, 4> kBits{0, 1, 3, 7};
  return address ^ (address >> 7 & kBits[static_cast<std::size_t>(swizzle)]) << 4;
}

}  // namespace flashbias::emulator
