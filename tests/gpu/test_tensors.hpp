#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "flashbias/device_buffer.hpp"
#include "flashbias/tensor.hpp"
#include "tests/gpu/attention_case.hpp"

namespace flashbias::testing {

inline constexpr unsigned char kPoison = 0xff;

/// A tensor in host memory and its copy on the GPU.
struct Tensor {
  std::vector<std::byte> bytes;
  TensorView host;
  std::optional<DeviceBuffer> buffer;

  [[nodiscard]] TensorView device() const {
    TensorView view = host;
    view.data = buffer->data();
    view.device = 0;
    return view;
  }
};

using Generator = std::function<double(std::mt19937_64&, std::int64_t batch, std::int64_t row, std::int64_t head)>;

[[nodiscard]] Generator normal(double deviation);

[[nodiscard]] Tensor allocate_tokens(DType dtype, Layout layout, std::int64_t batch, std::int64_t length,
                                     std::int64_t heads, std::int64_t dim);
[[nodiscard]] Tensor allocate_input(const InputSpec& input, const AttentionCase& attention);
/// Numbers that an input of that name may hold.
[[nodiscard]] Generator generator_of(const InputSpec& input, const AttentionCase& attention);
/// A head scalar is bound as [H]; it was filled like a token tensor, so that its generator sees the head.
[[nodiscard]] TensorView as_bound(const InputSpec& input, TensorView view);

/// On all cores, each row by a generator of its own; broadcast dimensions are written once.
void fill(Tensor& tensor, const std::string& name, const AttentionCase& attention, std::mt19937_64& random,
          const Generator& generate);
void upload(Tensor& tensor);

}  // namespace flashbias::testing
