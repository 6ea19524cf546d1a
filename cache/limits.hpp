#pragma once

#include <cstddef>

/// More than any file of ours has: what is larger was damaged or planted, and is refused before memory is spent on it.
namespace flashbias::cache {

inline constexpr std::size_t kMaxCubinBytes = std::size_t{64} << 20U;
inline constexpr std::size_t kMaxSourceBytes = std::size_t{16} << 20U;
inline constexpr std::size_t kMaxManifestBytes = std::size_t{1} << 20U;

}  // namespace flashbias::cache
