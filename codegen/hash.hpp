#pragma once

#include <cstdint>

namespace flashbias::codegen {

/// Folds a value into a running hash; the order matters.
[[nodiscard]] constexpr std::uint64_t mix(std::uint64_t hash, std::uint64_t value) noexcept {
  constexpr std::uint64_t kGoldenRatio = 0x9e3779b97f4a7c15;
  hash = (hash ^ value) * kGoldenRatio + kGoldenRatio;
  return hash ^ (hash >> 32);
}

}  // namespace flashbias::codegen
