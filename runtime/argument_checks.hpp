#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

#include "flashbias/plan.hpp"
#include "flashbias/tensor.hpp"
#include "runtime/problem_sizes.hpp"

/// What arguments of a launch must be. Each throws Error(invalid_argument) that names the argument, what it is, and
/// what it must be.
namespace flashbias::runtime {

inline constexpr std::int64_t kMaxBlocks = std::numeric_limits<std::int32_t>::max();

void require_dtype(std::string_view name, const TensorView& tensor, DType dtype);
/// That of the current CUDA context.
void require_device(std::string_view name, const TensorView& tensor, int device);
void require_pointer(std::string_view name, const TensorView& tensor, std::int64_t alignment);
/// Strides of a tensor whose last dimension is contiguous and whose others start at multiples of `alignment` bytes.
void require_strides(std::string_view name, const TensorView& tensor, std::int64_t alignment);
/// No two elements that the kernel writes may share an address.
void require_elements_apart(std::string_view name, const TensorView& tensor);

/// q, k, v and their like, whose shapes have been checked.
void require_operand(std::string_view name, const TensorView& tensor, DType dtype, int device);
/// f32 [B, H, Nq]
void require_log_sum_exp(const TensorView& tensor, const ProblemSizes& sizes, int device);

void require_at_most(const char* what, std::int64_t value, std::int64_t limit);
/// That neither lengths nor numbers of heads and batch items overflow anything, and that lengths are as declared.
void require_sizes(const KernelPlan& plan, const ProblemSizes& sizes);

/// The scale that is given, or the default.
[[nodiscard]] float softmax_scale(const KernelPlan& plan, std::optional<float> given);

}  // namespace flashbias::runtime
