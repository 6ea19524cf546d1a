#include "tests/gpu/test_tensors.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <initializer_list>
#include <thread>

#include "flashbias/reference.hpp"

namespace flashbias::testing {
namespace {

std::int64_t extent(const TensorView& view) {
  std::int64_t last = 0;
  for (int d = 0; d < view.rank; ++d) {
    const auto i = static_cast<std::size_t>(d);
    if (view.shape[i] == 0) return 0;
    last += (view.shape[i] - 1) * view.strides[i];
  }
  return last + 1;
}

Tensor allocate(DType dtype, std::initializer_list<std::int64_t> shape, std::initializer_list<std::int64_t> strides) {
  Tensor tensor;
  tensor.host.dtype = dtype;
  tensor.host.rank = static_cast<int>(shape.size());
  std::ranges::copy(shape, tensor.host.shape.begin());
  std::ranges::copy(strides, tensor.host.strides.begin());
  tensor.host.device = -1;
  const auto size = static_cast<std::size_t>(extent(tensor.host) * size_of(dtype));
  tensor.bytes.resize(std::max<std::size_t>(size, 16));
  tensor.host.data = tensor.bytes.data();
  return tensor;
}

}  // namespace

Tensor allocate_tokens(DType dtype, Layout layout, std::int64_t batch, std::int64_t length, std::int64_t heads,
                       std::int64_t dim) {
  const std::int64_t padding = layout == Layout::padded ? 8 : 0;
  switch (layout) {
    case Layout::heads_first:
      return allocate(dtype, {batch, length, heads, dim}, {heads * length * dim, dim, length * dim, 1});
    case Layout::broadcast_batch:
      return allocate(dtype, {batch, length, heads, dim}, {0, heads * dim, dim, 1});
    default: {
      const std::int64_t row = heads * dim + padding;
      return allocate(dtype, {batch, length, heads, dim}, {length * row + 2 * padding, row, dim, 1});
    }
  }
}

void fill(Tensor& tensor, const std::string& name, const AttentionCase& attention, std::mt19937_64& random,
          const Generator& generate) {
  const TensorView& view = tensor.host;
  std::array<std::int64_t, 4> shape{1, 1, 1, 1};
  std::array<std::int64_t, 4> strides{};
  const auto missing = static_cast<std::size_t>(4 - view.rank);
  for (std::size_t i = missing; i < 4; ++i) {
    shape[i] = view.shape[i - missing];
    strides[i] = view.strides[i - missing];
  }
  if (strides[0] == 0) shape[0] = std::min<std::int64_t>(shape[0], 1);
  const std::uint64_t seed = random();
  std::atomic<std::int64_t> next = 0;
  const auto fill_rows = [&] {
    for (std::int64_t index = next++; index < shape[0] * shape[1]; index = next++) {
      std::mt19937_64 row_random(seed + static_cast<std::uint64_t>(index));
      const std::int64_t b = index / shape[1];
      const std::int64_t row = index % shape[1];
      for (std::int64_t head = 0; head < shape[2]; ++head)
        for (std::int64_t column = 0; column < shape[3]; ++column) {
          double number = generate(row_random, b, row, head);
          if (attention.replace) number = attention.replace(name, b, row, head, column).value_or(number);
          reference::write_element(view, b * strides[0] + row * strides[1] + head * strides[2] + column * strides[3],
                                   number);
        }
    }
  };
  std::vector<std::jthread> threads;
  for (unsigned t = 1; t < std::thread::hardware_concurrency(); ++t) threads.emplace_back(fill_rows);
  fill_rows();
}

void upload(Tensor& tensor) { tensor.buffer.emplace(tensor.bytes.data(), tensor.bytes.size()); }

Generator normal(double deviation) {
  return [deviation](std::mt19937_64& random, auto...) { return std::normal_distribution<>(0, deviation)(random); };
}

Generator generator_of(const InputSpec& input, const AttentionCase& attention) {
  if (input.name == "slopes")
    return [&](std::mt19937_64&, std::int64_t, std::int64_t, std::int64_t head) {
      return std::exp2(-8.0 * static_cast<double>(head + 1) / attention.heads);
    };
  if (input.name == "distance_weight")
    return [](std::mt19937_64& random, auto...) { return std::uniform_real_distribution<>(0.5, 2)(random); };
  if (input.name == "q_positions" || input.name == "k_positions")
    return [&](std::mt19937_64& random, auto...) {
      return std::uniform_real_distribution<>(-attention.position_extent, attention.position_extent)(random);
    };
  if (input.range)
    return [range = *input.range](std::mt19937_64& random, auto...) {
      return std::uniform_real_distribution<>(range.low, range.high)(random);
    };
  if (input.dtype == DType::u8)
    return [](std::mt19937_64& random, auto...) { return std::bernoulli_distribution(0.8)(random) ? 1.0 : 0.0; };
  if (input.name == "q_factors" || input.name == "k_factors") return normal(std::pow(input.dims, -0.25));
  return normal(1);
}

Tensor allocate_input(const InputSpec& input, const AttentionCase& attention) {
  const std::int64_t batch = attention.inputs_a_batch_item ? attention.batch : 1;
  const std::int64_t heads = attention.inputs_a_head ? attention.heads : 1;
  switch (input.kind) {
    case Op::head_scalar:
      return allocate(input.dtype, {1, 1, attention.heads, 1}, {0, 0, 1, 1});
    case Op::query_input:
      return allocate_tokens(input.dtype, Layout::packed, batch, attention.q_length, heads, input.dims);
    case Op::key_input:
      return allocate_tokens(input.dtype, Layout::packed, batch, attention.kv_length, heads, input.dims);
    case Op::table:
      return allocate(input.dtype, {batch, heads, input.dims}, {heads * input.dims, input.dims, 1});
    default: {
      const std::int64_t size = std::int64_t{attention.q_length} * attention.kv_length;
      return allocate(input.dtype, {batch, heads, attention.q_length, attention.kv_length},
                      {heads * size, size, attention.kv_length, 1});
    }
  }
}

TensorView as_bound(const InputSpec& input, TensorView view) {
  if (input.kind == Op::head_scalar) {
    view.shape = {view.shape[2]};
    view.strides = {1};
    view.rank = 1;
  }
  return view;
}

}  // namespace flashbias::testing
