#pragma once

#include <cstdint>
#include <initializer_list>

#include "flashbias/tensor.hpp"

/// Sizes and tensors of the launches that tests spoil in one respect each.
namespace flashbias::testing {

inline constexpr int kDevice = 1;
inline constexpr std::int64_t B = 2, Nq = 100, Nk = 70, H = 8, Hk = 4, D = 64, Dv = 32;

/// Looks like device memory: an aligned address that nobody reads.
inline void* address(std::uintptr_t value) { return reinterpret_cast<void*>(value); }

inline TensorView device_tensor(std::uintptr_t at, DType dtype, std::initializer_list<std::int64_t> shape) {
  return TensorView::contiguous(address(at), dtype, shape, kDevice);
}

}  // namespace flashbias::testing
