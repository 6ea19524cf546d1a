#pragma once

#include <cstdint>

namespace flashbias::runtime {

/// The kernels of a generated source: the one that it is about, and what goes before and behind that in the backward
/// pass (codegen/parameters.hpp).
enum class KernelRole : std::uint8_t { attention, statistics, sums };

inline constexpr int kKernelRoles = 3;

}  // namespace flashbias::runtime
