#include "runtime/argument_checks.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>

#include "flashbias/error.hpp"

namespace flashbias::runtime {
namespace {

/// Lengths up to here are exact as f32, the type of positions in bias expressions.
constexpr std::int64_t kMaxLength = std::int64_t{1} << 24;
/// Width of the copies to shared memory, and so the alignment of whatever they read or write.
constexpr std::int64_t kAccessBytes = 16;

std::int64_t element_count(const TensorView& tensor) {
  std::int64_t count = 1;
  for (int i = 0; i < tensor.rank; ++i) count *= tensor.shape[static_cast<std::size_t>(i)];
  return count;
}

void require_declared(const char* length, const char* index, std::int64_t value, std::optional<std::int64_t> most) {
  if (most && value > *most) [[unlikely]] {
    throw Error(ErrorCode::invalid_argument,
                fmt::format("{} is {}, but the bias declares that {} stays below {}; declare a wider range", length,
                            value, index, *most));
  }
}

}  // namespace

void require_dtype(std::string_view name, const TensorView& tensor, DType dtype) {
  if (tensor.dtype != dtype) [[unlikely]] {
    reject(name, tensor, fmt::format("its dtype must be {}", to_string(dtype)));
  }
}

void require_device(std::string_view name, const TensorView& tensor, int device) {
  if (tensor.device != device) [[unlikely]] {
    reject(name, tensor, fmt::format("it must be on device {}, that of the current CUDA context", device));
  }
}

void require_pointer(std::string_view name, const TensorView& tensor, std::int64_t alignment) {
  if (tensor.data == nullptr && element_count(tensor) != 0) [[unlikely]] {
    reject(name, tensor, "its pointer is null");
  }
  if (!is_aligned(reinterpret_cast<std::intptr_t>(tensor.data), alignment)) [[unlikely]] {
    reject(name, tensor,
           fmt::format("its address {} must be a multiple of {} bytes; copy it to memory of its own", tensor.data,
                       alignment));
  }
}

void require_strides(std::string_view name, const TensorView& tensor, std::int64_t alignment) {
  const auto last = static_cast<std::size_t>(tensor.rank - 1);
  if (tensor.strides[last] != 1 && tensor.shape[last] > 1) [[unlikely]] {
    reject(name, tensor, "its last dimension must be contiguous (stride 1); make the tensor contiguous");
  }
  for (std::size_t i = 0; i < last; ++i) {
    if (tensor.shape[i] > 1 && !is_aligned(tensor.strides[i] * size_of(tensor.dtype), alignment)) [[unlikely]] {
      reject(name, tensor,
             fmt::format("its strides, but the last, must be multiples of {} bytes ({} elements)", alignment,
                         alignment / size_of(tensor.dtype)));
    }
  }
}

void require_elements_apart(std::string_view name, const TensorView& tensor) {
  if (element_count(tensor) == 0) return;
  struct Dimension {
    std::uint64_t stride = 0;
    std::uint64_t steps = 0;
  };
  std::array<Dimension, TensorView::kMaxRank> dimensions;  // by stride
  auto* const first = dimensions.data();
  auto* last = first;
  for (std::size_t i = 0; i < static_cast<std::size_t>(tensor.rank); ++i) {
    if (tensor.shape[i] == 1) continue;
    const auto given = static_cast<std::uint64_t>(tensor.strides[i]);
    const std::uint64_t stride = tensor.strides[i] < 0 ? 0 - given : given;
    auto* place = last++;
    for (; place != first && place[-1].stride > stride; --place) *place = place[-1];
    *place = {.stride = stride, .steps = static_cast<std::uint64_t>(tensor.shape[i] - 1)};
  }
  std::uint64_t extent = 1;  // of the elements that smaller strides reach
  for (const auto* dimension = first; dimension != last; ++dimension) {
    if (dimension->stride < extent) [[unlikely]]
      reject(
          name, tensor,
          dimension->stride == 0
              ? "it is written, so no stride of a dimension larger than 1 may be 0"
              : fmt::format("it is written, so its elements must lie apart: the stride {} must be at least {}, which "
                            "the dimensions of smaller strides span; make the tensor contiguous",
                            dimension->stride, extent));
    extent += dimension->stride * dimension->steps;
  }
}

void require_operand(std::string_view name, const TensorView& tensor, DType dtype, int device) {
  require_dtype(name, tensor, dtype);
  require_device(name, tensor, device);
  require_pointer(name, tensor, kAccessBytes);
  require_strides(name, tensor, kAccessBytes);
}

void require_log_sum_exp(const TensorView& tensor, const ProblemSizes& sizes, int device) {
  require_shape("log_sum_exp", tensor, "[B, H, Nq]", {sizes.batch, sizes.heads, sizes.q_length});
  require_dtype("log_sum_exp", tensor, DType::f32);
  require_device("log_sum_exp", tensor, device);
  require_pointer("log_sum_exp", tensor, size_of(DType::f32));
  require_strides("log_sum_exp", tensor, size_of(DType::f32));
}

void require_at_most(const char* what, std::int64_t value, std::int64_t limit) {
  if (value > limit) [[unlikely]] {
    throw Error(ErrorCode::invalid_argument, fmt::format("{} is {}: at most {} are supported", what, value, limit));
  }
}

void require_sizes(const KernelPlan& plan, const ProblemSizes& sizes) {
  require_at_most("the query length Nq", sizes.q_length, kMaxLength);
  require_at_most("the key length Nk", sizes.kv_length, kMaxLength);
  require_declared("Nq", "q_index", sizes.q_length, plan.max_q_length);
  require_declared("Nk", "kv_index", sizes.kv_length, plan.max_kv_length);
  require_at_most("the number of heads H", sizes.heads, kMaxBlocks);
  require_at_most("the batch size B", sizes.batch, kMaxBlocks);
  require_at_most("B * H", sizes.batch * sizes.heads, kMaxBlocks);
}

float softmax_scale(const KernelPlan& plan, std::optional<float> given) {
  const int head_dim = plan.config.head_dim;
  const float scale = given.value_or(1.0F / std::sqrt(static_cast<float>(head_dim)));
  const auto [least, most] = plan.softmax_scale;
  if (!(scale >= least && scale <= most)) [[unlikely]] {
    throw Error(ErrorCode::invalid_argument,
                fmt::format("softmax_scale is {}: it must lie between {} and {}; leave it out for 1 / sqrt({}){}",
                            scale, least, most, head_dim,
                            most < KernelPlan{}.softmax_scale.high
                                ? ", or plan with lowering=registers, which is exact at more of them"
                                : ""));
  }
  return scale;
}

}  // namespace flashbias::runtime
