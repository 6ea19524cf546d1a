#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string_view>

#include "flashbias/config.hpp"
#include "flashbias/tensor.hpp"

namespace flashbias::runtime {

/// The sizes of one attention call, as its tensors have them.
struct ProblemSizes {
  std::int64_t batch = 0;
  std::int64_t heads = 0;     ///< of the queries
  std::int64_t kv_heads = 0;  ///< of keys and values
  std::int64_t q_length = 0;
  std::int64_t kv_length = 0;
};

/// Sizes of q [B, Nq, H, D], k [B, Nk, Hk, D] and v [B, Nk, Hk, Dv], H a multiple of Hk.
/// Throws Error(invalid_argument) naming the tensor whose shape does not fit the config or the others.
[[nodiscard]] ProblemSizes problem_sizes(const AttentionConfig& config, const TensorView& q, const TensorView& k,
                                         const TensorView& v);

/// Throws Error(invalid_argument) unless the tensor has this shape, which `letters` spells: `[B, Nq, H, Dv]`.
void require_shape(std::string_view name, const TensorView& tensor, std::string_view letters,
                   std::initializer_list<std::int64_t> shape);

/// Of a contiguous tensor.
[[nodiscard]] std::size_t size_in_bytes(const TensorView& tensor);

/// Whether an address or a distance in bytes is a multiple of a power of two.
[[nodiscard]] constexpr bool is_aligned(std::int64_t bytes, std::int64_t power_of_two) noexcept {
  return (bytes & (power_of_two - 1)) == 0;
}

/// Throws Error(invalid_argument): `{name} is {tensor}: {problem}`.
[[noreturn, gnu::cold]] void reject(std::string_view name, const TensorView& tensor, std::string_view problem);

}  // namespace flashbias::runtime
