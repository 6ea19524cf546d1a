#include "runtime/problem_sizes.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "flashbias/error.hpp"

namespace flashbias::runtime {

void reject(std::string_view name, const TensorView& tensor, std::string_view problem) {
  throw Error(ErrorCode::invalid_argument, fmt::format("{} is {}: {}", name, to_string(tensor), problem));
}

std::size_t size_in_bytes(const TensorView& tensor) {
  auto bytes = static_cast<std::size_t>(size_of(tensor.dtype));
  for (int i = 0; i < tensor.rank; ++i) bytes *= static_cast<std::size_t>(tensor.shape[static_cast<std::size_t>(i)]);
  return bytes;
}

void require_shape(std::string_view name, const TensorView& tensor, std::string_view letters,
                   std::initializer_list<std::int64_t> shape) {
  if (tensor.rank != static_cast<int>(shape.size())) [[unlikely]] {
    reject(name, tensor, fmt::format("it must have {} dimensions, {}", shape.size(), letters));
  }
  if (!std::equal(shape.begin(), shape.end(), tensor.shape.begin())) [[unlikely]] {
    reject(name, tensor, fmt::format("its shape must be {} = [{}]", letters, fmt::join(shape, ", ")));
  }
}

ProblemSizes problem_sizes(const AttentionConfig& config, const TensorView& q, const TensorView& k,
                           const TensorView& v) {
  const std::int64_t head_dim_v = config.head_dim_v == 0 ? config.head_dim : config.head_dim_v;
  const ProblemSizes sizes{.batch = q.shape[0],
                           .heads = q.shape[2],
                           .kv_heads = k.shape[2],
                           .q_length = q.shape[1],
                           .kv_length = k.shape[1]};
  require_shape("q", q, "[B, Nq, H, D]", {sizes.batch, sizes.q_length, sizes.heads, config.head_dim});
  require_shape("k", k, "[B, Nk, Hk, D]", {sizes.batch, sizes.kv_length, sizes.kv_heads, config.head_dim});
  require_shape("v", v, "[B, Nk, Hk, Dv]", {sizes.batch, sizes.kv_length, sizes.kv_heads, head_dim_v});
  if (sizes.batch < 0 || sizes.q_length < 0 || sizes.heads < 1) [[unlikely]] {
    reject("q", q, "it must have at least one head, and no negative size");
  }
  if (sizes.kv_length < 0 || sizes.kv_heads < 1 || sizes.heads % sizes.kv_heads != 0) [[unlikely]] {
    reject("k", k,
           fmt::format("its number of heads must divide the {} heads of q, and no size be negative", sizes.heads));
  }
  return sizes;
}

}  // namespace flashbias::runtime
