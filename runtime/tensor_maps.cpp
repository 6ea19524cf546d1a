#include "runtime/tensor_maps.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "codegen/parameters.hpp"
#include "runtime/bias_tensors.hpp"
#include "runtime/problem_sizes.hpp"

namespace flashbias::runtime {
namespace {

/// Of a stride in bytes, exclusive; so cuTensorMapEncodeTiled.
constexpr std::int64_t kMaxStride = std::int64_t{1} << 40;
/// What stands for the stride of a dimension that is never stepped along.
constexpr std::int64_t kAnyStride = 16;

/// Columns of a strip of templates/hopper/swizzled_tile.cuh, with its swizzle.
struct Strip {
  std::uint32_t columns;
  int swizzle;
};

Strip strip_of_head(int head_dim) {
  if (head_dim <= 16) return {16, CU_TENSOR_MAP_SWIZZLE_32B};
  if (head_dim <= 32) return {32, CU_TENSOR_MAP_SWIZZLE_64B};
  return {64, CU_TENSOR_MAP_SWIZZLE_128B};
}

/// That of templates/hopper/pair_tiles.cuh.
Strip strip_of_pairs(DType dtype) {
  return {128 / static_cast<std::uint32_t>(size_of(dtype)), CU_TENSOR_MAP_SWIZZLE_128B};
}

int data_type_of(DType dtype) {
  const int size = size_of(dtype);
  return size == 1   ? CU_TENSOR_MAP_DATA_TYPE_UINT8
         : size == 2 ? CU_TENSOR_MAP_DATA_TYPE_UINT16
                     : CU_TENSOR_MAP_DATA_TYPE_UINT32;
}

/// A [batch, row, head, column] tensor as the engine counts: columns, rows, heads, batch items. A stride of 0
/// broadcasts.
struct Extents {
  std::array<std::int64_t, 4> sizes;
  std::array<std::int64_t, 3> strides;  ///< but that of columns, in elements
};

Extents extents_of(const TensorView& tensor) {
  return {.sizes = {tensor.shape[3], tensor.shape[1], tensor.shape[2], tensor.shape[0]},
          .strides = {tensor.strides[1], tensor.strides[2], tensor.strides[0]}};
}

/// A bias input may have one head, or one batch item, for all.
Extents extents_of(const InputSpec& spec, const TensorView& tensor, const TensorView& q) {
  const BiasDimensions dimensions = dimensions_of(spec, tensor);
  return {.sizes = {dimensions.inner.size, dimensions.row.size, q.shape[2], q.shape[0]},
          .strides = {dimensions.row.stride, dimensions.head.stride, dimensions.batch.stride}};
}

void encode(const Driver& driver, std::string_view name, const TensorView& tensor, const Extents& extents,
            const Strip& strip, int rows, CUtensorMap* map) {
  std::array<std::uint64_t, 4> sizes{};
  std::array<std::uint64_t, 3> strides{};
  for (std::size_t i = 0; i < sizes.size(); ++i)
    sizes[i] = static_cast<std::uint64_t>(std::max<std::int64_t>(1, extents.sizes[i]));
  for (std::size_t i = 0; i < strides.size(); ++i) {
    const std::int64_t stride = sizes[i + 1] == 1 ? kAnyStride : extents.strides[i] * size_of(tensor.dtype);
    if (stride < 0 || stride >= kMaxStride) [[unlikely]]
      reject(name, tensor, "its strides must lie between 0 and 2^40 bytes; make the tensor contiguous");
    strides[i] = static_cast<std::uint64_t>(stride);
  }
  const std::array<std::uint32_t, 4> box{strip.columns, static_cast<std::uint32_t>(rows), 1, 1};
  const std::array<std::uint32_t, 4> every{1, 1, 1, 1};
  driver.check(
      driver.cuTensorMapEncodeTiled(map, data_type_of(tensor.dtype), 4, tensor.data, sizes.data(), strides.data(),
                                    box.data(), every.data(), CU_TENSOR_MAP_INTERLEAVE_NONE, strip.swizzle,
                                    CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE),
      "describe a tensor to the copy engine");
}

std::pair<const InputSpec&, const TensorView&> bound_input(const KernelPlan& plan, std::span<const BiasInput> inputs,
                                                           const std::string& name) {
  return {*std::ranges::find(plan.inputs, name, &InputSpec::name),
          std::ranges::find(inputs, name, &BiasInput::name)->tensor};
}

/// Rows of heads: of q, k, v, d_out or factors.
void encode_rows(const Driver& driver, std::string_view name, const TensorView& tensor, const Extents& extents,
                 int rows, CUtensorMap* map) {
  encode(driver, name, tensor, extents, strip_of_head(static_cast<int>(extents.sizes[0])), rows, map);
}

/// What PairTiles::are_fetched finds in the kernel.
bool is_aligned_for_engine(const TensorView& tensor, const Extents& extents) {
  constexpr std::int64_t kAlignment = 16;
  const std::int64_t strides = extents.strides[0] | extents.strides[1] | extents.strides[2];
  return strides >= 0 &&
         ((reinterpret_cast<std::intptr_t>(tensor.data) | (strides * size_of(tensor.dtype))) & (kAlignment - 1)) == 0;
}

/// Of each of plan.fetched_factors, and each of plan.fetched_pairs that the engine can read.
void encode_inputs(const Driver& driver, const KernelPlan& plan, std::span<const BiasInput> inputs, const TensorView& q,
                   CUtensorMap* map) {
  const auto encode_factors = [&](const std::string& name, const FactorInputs& factors, int rows) {
    const auto& [spec, tensor] = bound_input(plan, inputs, name);
    encode(driver, name, tensor, extents_of(spec, tensor, q), strip_of_head(factors.layout_columns), rows, map++);
  };
  for (const FactorInputs& factors : plan.fetched_factors) {
    encode_factors(factors.q_input, factors, plan.tile.block_q);
    encode_factors(factors.k_input, factors, plan.tile.block_k);
  }
  for (const std::string& name : plan.fetched_pairs) {
    const auto& [spec, tensor] = bound_input(plan, inputs, name);
    const Extents extents = extents_of(spec, tensor, q);
    if (is_aligned_for_engine(tensor, extents))
      encode(driver, name, tensor, extents, strip_of_pairs(tensor.dtype), plan.tile.block_q, map);
    ++map;
  }
}

}  // namespace

void encode_tensor_maps(const Driver& driver, const KernelPlan& plan, const AttentionArguments& arguments,
                        LaunchPlan& launch) {
  static_assert(sizeof(CUtensorMap) == codegen::kTensorMapBytes);
  if (arguments.k.shape[1] == 0) return;  // nothing is read
  auto* map = reinterpret_cast<CUtensorMap*>(launch.parameters.data());
  encode_rows(driver, "q", arguments.q, extents_of(arguments.q), plan.tile.block_q, map++);
  encode_rows(driver, "k", arguments.k, extents_of(arguments.k), plan.tile.block_k, map++);
  encode_rows(driver, "v", arguments.v, extents_of(arguments.v), plan.tile.block_k, map++);
  encode_inputs(driver, plan, arguments.bias_inputs, arguments.q, map);
}

void encode_tensor_maps(const Driver& driver, const KernelPlan& plan, const BackwardArguments& arguments,
                        LaunchPlan& launch) {
  if (arguments.k.shape[1] == 0 || arguments.q.shape[1] == 0) return;  // nothing is read
  auto* map = reinterpret_cast<CUtensorMap*>(launch.parameters.data());
  encode_rows(driver, "q", arguments.q, extents_of(arguments.q), plan.tile.block_q, map++);
  encode_rows(driver, "k", arguments.k, extents_of(arguments.k), plan.tile.block_k, map++);
  encode_rows(driver, "v", arguments.v, extents_of(arguments.v), plan.tile.block_k, map++);
  encode_rows(driver, "d_out", arguments.d_out, extents_of(arguments.d_out), plan.tile.block_q, map++);
  encode_inputs(driver, plan, arguments.bias_inputs, arguments.q, map);
}

}  // namespace flashbias::runtime
