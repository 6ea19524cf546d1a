#pragma once

#include <cstdint>

/// Sizes and addresses of the launches that the fake driver records.
namespace flashbias::testing {

inline constexpr std::int64_t B = 2, Nq = 100, Nk = 70, H = 8, Hk = 4, D = 80;

/// Looks like device memory: an aligned address that nobody reads.
inline void* address(std::uintptr_t value) { return reinterpret_cast<void*>(value); }

}  // namespace flashbias::testing
