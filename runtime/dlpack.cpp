#include "runtime/dlpack.hpp"

#include <fmt/format.h>

#include <optional>

#include "flashbias/error.hpp"

namespace flashbias::runtime {
namespace {

/// kDLBool of DLPack 0.8 and later, stored in a byte.
constexpr std::uint8_t kBool = 6;

std::optional<DType> dtype_of(DLDataType type) {
  if (type.lanes != 1) return std::nullopt;
  if (type.code == kDLFloat && type.bits == 16) return DType::f16;
  if (type.code == kDLBfloat && type.bits == 16) return DType::bf16;
  if (type.code == kDLFloat && type.bits == 32) return DType::f32;
  if (type.code == kDLInt && type.bits == 32) return DType::i32;
  if ((type.code == kDLUInt || type.code == kBool) && type.bits == 8) return DType::u8;
  return std::nullopt;
}

[[noreturn, gnu::cold]] void reject_tensor(std::string_view name, std::string_view problem) {
  throw Error(ErrorCode::invalid_argument, fmt::format("{} {}", name, problem));
}

}  // namespace

TensorView view_of(std::string_view name, const DLTensor* tensor) {
  if (tensor == nullptr) [[unlikely]]
    reject_tensor(name, "is a null DLTensor");
  if (tensor->device.device_type != kDLCUDA) [[unlikely]] {
    reject_tensor(name, fmt::format("is on a device of DLPack type {}: it must be in CUDA memory (type {})",
                                    static_cast<int>(tensor->device.device_type), static_cast<int>(kDLCUDA)));
  }
  if (tensor->ndim < 0 || tensor->ndim > TensorView::kMaxRank) [[unlikely]] {
    reject_tensor(name, fmt::format("has {} dimensions: at most {} are supported", tensor->ndim, TensorView::kMaxRank));
  }
  if (tensor->ndim > 0 && tensor->shape == nullptr) [[unlikely]]
    reject_tensor(name, fmt::format("has {} dimensions, but its shape is NULL: give their sizes", tensor->ndim));
  const std::optional<DType> dtype = dtype_of(tensor->dtype);
  if (!dtype) [[unlikely]] {
    reject_tensor(
        name, fmt::format("has the DLPack type (code {}, {} bits, {} lanes): it must be float16, bfloat16, float32, "
                          "int32, uint8 or bool",
                          tensor->dtype.code, tensor->dtype.bits, tensor->dtype.lanes));
  }

  TensorView view{.data = static_cast<std::byte*>(tensor->data) + tensor->byte_offset,
                  .dtype = *dtype,
                  .rank = tensor->ndim,
                  .device = tensor->device.device_id};
  std::int64_t packed = 1;
  for (int i = tensor->ndim - 1; i >= 0; --i) {
    const auto dimension = static_cast<std::size_t>(i);
    view.shape[dimension] = tensor->shape[i];
    view.strides[dimension] = tensor->strides == nullptr ? packed : tensor->strides[i];
    packed *= tensor->shape[i];
  }
  return view;
}

}  // namespace flashbias::runtime
