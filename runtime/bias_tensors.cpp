#include "runtime/bias_tensors.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <string_view>

#include "flashbias/error.hpp"

namespace flashbias::runtime {
namespace {

/// How the dimensions of one kind of input are laid out, outermost first.
struct Layout {
  std::array<Dimension BiasDimensions::*, TensorView::kMaxRank> order{};
  int rank = 0;
  bool leading_may_be_missing = false;  ///< otherwise the trailing ones
  const char* letters = "";
};

constexpr auto kBatch = &BiasDimensions::batch;
constexpr auto kHead = &BiasDimensions::head;
constexpr auto kRow = &BiasDimensions::row;
constexpr auto kInner = &BiasDimensions::inner;

constexpr Layout kQueryLayout{{kBatch, kRow, kHead, kInner}, 4, false, "[B|1, Nq, H|1, dims]"};
constexpr Layout kKeyLayout{{kBatch, kRow, kHead, kInner}, 4, false, "[B|1, Nk, H|1, dims]"};
constexpr Layout kScalarLayout{{kBatch, kHead}, 2, true, "[B|1, H|1]"};
constexpr Layout kTableLayout{{kBatch, kHead, kInner}, 3, true, "[B|1, H|1, entries]"};
constexpr Layout kPairLayout{{kBatch, kHead, kRow, kInner}, 4, true, "[B|1, H|1, Nq, Nk]"};

const Layout& layout_of(Op kind) {
  switch (kind) {
    case Op::query_input:
      return kQueryLayout;
    case Op::key_input:
      return kKeyLayout;
    case Op::head_scalar:
      return kScalarLayout;
    case Op::table:
      return kTableLayout;
    case Op::pair_input:
      return kPairLayout;
    default:
      throw Error(ErrorCode::invalid_argument, "a bias input that is no input of the bias language");
  }
}

/// The sizes that the dimensions must have; batch and head may be 1 instead.
BiasDimensions expected_dimensions(const InputSpec& spec, const ProblemSizes& sizes) {
  BiasDimensions expected;
  expected.batch.size = sizes.batch;
  expected.head.size = sizes.heads;
  switch (spec.kind) {
    case Op::query_input:
      expected.row.size = sizes.q_length;
      expected.inner.size = spec.dims;
      break;
    case Op::key_input:
      expected.row.size = sizes.kv_length;
      expected.inner.size = spec.dims;
      break;
    case Op::table:
      expected.inner.size = spec.dims;
      break;
    case Op::pair_input:
      expected.row.size = sizes.q_length;
      expected.inner.size = sizes.kv_length;
      break;
    default:
      break;
  }
  return expected;
}

bool fits(const BiasDimensions& actual, const BiasDimensions& expected) {
  return (actual.batch.size == expected.batch.size || actual.batch.size == 1) &&
         (actual.head.size == expected.head.size || actual.head.size == 1) && actual.row.size == expected.row.size &&
         actual.inner.size == expected.inner.size;
}

std::int64_t required_alignment(const InputSpec& spec) {
  const bool is_token = spec.kind == Op::query_input || spec.kind == Op::key_input;
  const int element = size_of(spec.dtype);
  if (!is_token || element != 2) return element;
  const auto token_bytes = static_cast<unsigned>(spec.dims * element);
  return std::int64_t{1} << std::min(std::countr_zero(token_bytes), 4);
}

[[noreturn, gnu::cold]] void reject_input(const InputSpec& spec, const TensorView& tensor, std::string_view problem) {
  reject(fmt::format("bias input '{}'", spec.name), tensor, problem);
}

[[noreturn, gnu::cold]] void reject_shape(const InputSpec& spec, const TensorView& tensor,
                                          const BiasDimensions& expected) {
  const Layout& layout = layout_of(spec.kind);
  std::array<std::int64_t, TensorView::kMaxRank> shape{};
  for (std::size_t i = 0; i < static_cast<std::size_t>(layout.rank); ++i) shape[i] = (expected.*layout.order[i]).size;
  reject_input(spec, tensor,
               fmt::format("its shape must be {} = [{}] (a batch or head dimension may be 1; {} dimensions may be "
                           "missing where they would be 1)",
                           layout.letters, fmt::join(shape.begin(), shape.begin() + layout.rank, ", "),
                           layout.leading_may_be_missing ? "leading" : "trailing"));
}

}  // namespace

BiasDimensions dimensions_of(const InputSpec& spec, const TensorView& tensor) {
  const Layout& layout = layout_of(spec.kind);
  if (tensor.rank < 1 || tensor.rank > layout.rank) [[unlikely]] {
    reject_input(spec, tensor, fmt::format("it must have 1 to {} dimensions, {}", layout.rank, layout.letters));
  }
  BiasDimensions dimensions;
  const int first = layout.leading_may_be_missing ? layout.rank - tensor.rank : 0;
  for (int i = 0; i < tensor.rank; ++i) {
    const auto from = static_cast<std::size_t>(i);
    const auto to = static_cast<std::size_t>(first) + from;
    const std::int64_t size = tensor.shape[from];
    dimensions.*layout.order[to] = {.size = size, .stride = size == 1 ? 0 : tensor.strides[from]};
  }
  return dimensions;
}

BiasStrides bind_bias_tensor(const InputSpec& spec, const TensorView& tensor, const ProblemSizes& sizes) {
  if (tensor.dtype != spec.dtype) [[unlikely]] {
    reject_input(spec, tensor, fmt::format("its dtype must be {}", to_string(spec.dtype)));
  }
  const BiasDimensions actual = dimensions_of(spec, tensor);
  const BiasDimensions expected = expected_dimensions(spec, sizes);
  if (!fits(actual, expected)) [[unlikely]]
    reject_shape(spec, tensor, expected);
  if (actual.inner.size > 1 && actual.inner.stride != 1) [[unlikely]] {
    reject_input(spec, tensor, "its last dimension must be contiguous (stride 1); make the tensor contiguous");
  }

  const BiasStrides strides{.batch = actual.batch.stride, .head = actual.head.stride, .row = actual.row.stride};
  const std::int64_t alignment = required_alignment(spec);
  const std::int64_t element = size_of(spec.dtype);
  if (!is_aligned(reinterpret_cast<std::intptr_t>(tensor.data), alignment)) [[unlikely]] {
    reject_input(spec, tensor,
                 fmt::format("its address {} must be a multiple of {} bytes; copy it to memory of its own", tensor.data,
                             alignment));
  }
  if (!is_aligned((strides.batch | strides.head | strides.row) * element, alignment)) [[unlikely]] {
    reject_input(spec, tensor,
                 fmt::format("its strides must be multiples of {} bytes ({} elements); make the tensor contiguous",
                             alignment, alignment / element));
  }
  const bool is_empty = actual.batch.size * actual.head.size * actual.row.size * actual.inner.size == 0;
  if (tensor.data == nullptr && !is_empty) [[unlikely]]
    reject_input(spec, tensor, "its pointer is null");
  return strides;
}

}  // namespace flashbias::runtime
