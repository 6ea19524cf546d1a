#pragma once

#include <algorithm>
#include <cmath>
#include <flashbias/flashbias.hpp>
#include <flashbias/reference.hpp>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

/// What the examples share: sizes, random tensors, and "run it and compare it with float64".
namespace example {

struct Sizes {
  std::int64_t batch = 1;
  std::int64_t heads = 1;
  std::int64_t seqlen = 1;
};

/// A tensor in host memory; copies share it.
struct HostTensor {
  std::shared_ptr<std::vector<std::byte>> memory;
  flashbias::TensorView view;
};

template <class Draw>
HostTensor tensor(flashbias::DType dtype, std::initializer_list<std::int64_t> shape, Draw draw) {
  std::int64_t count = 1;
  for (const auto size : shape) count *= size;
  auto memory = std::make_shared<std::vector<std::byte>>(static_cast<std::size_t>(count * flashbias::size_of(dtype)));
  const auto view = flashbias::TensorView::contiguous(memory->data(), dtype, shape, -1);
  for (std::int64_t i = 0; i < count; ++i) flashbias::reference::write_element(view, i, draw());
  return {std::move(memory), view};
}

inline HostTensor normal(flashbias::DType dtype, std::initializer_list<std::int64_t> shape, double deviation = 1) {
  static std::mt19937 random(0);
  std::normal_distribution<double> distribution(0, deviation);
  return tensor(dtype, shape, [&] { return distribution(random); });
}

/// A densely packed host tensor of four dimensions in memory of its own.
inline HostTensor copy(const flashbias::TensorView& from) {
  std::int64_t next = 0;
  return tensor(from.dtype, {from.shape[0], from.shape[1], from.shape[2], from.shape[3]},
                [&] { return flashbias::reference::read_element(from, next++); });
}

using Inputs = std::map<std::string, HostTensor, std::less<>>;

/// The GPU's architecture, or nothing where there is none.
inline std::optional<flashbias::Arch> gpu() {
  try {
    return flashbias::jit::current_arch();
  } catch (const flashbias::Error& error) {
    std::cout << "no GPU, so nothing is run: " << error.what() << '\n';
    return std::nullopt;
  }
}

inline flashbias::TensorView on_gpu(const HostTensor& host, const flashbias::DeviceBuffer& memory) {
  flashbias::TensorView view = host.view;
  view.data = memory.data();
  view.device = 0;
  return view;
}

/// Runs the kernel on random q, k and v and compares some rows with float64. Returns whether they agree.
inline bool run_and_check(const flashbias::Kernel& kernel, const Sizes& sizes, const Inputs& inputs) {
  using namespace flashbias;
  const AttentionConfig& config = kernel.plan().config;
  const HostTensor q = normal(config.dtype, {sizes.batch, sizes.seqlen, sizes.heads, config.head_dim});
  const HostTensor k = normal(config.dtype, {sizes.batch, sizes.seqlen, sizes.heads, config.head_dim});
  const HostTensor v = normal(config.dtype, {sizes.batch, sizes.seqlen, sizes.heads, config.head_dim_v});
  const HostTensor out =
      tensor(config.dtype, {sizes.batch, sizes.seqlen, sizes.heads, config.head_dim_v}, [] { return 0; });

  const auto upload = [](const HostTensor& host) { return DeviceBuffer(host.memory->data(), host.memory->size()); };
  const DeviceBuffer device_q = upload(q);
  const DeviceBuffer device_k = upload(k);
  const DeviceBuffer device_v = upload(v);
  const DeviceBuffer device_out(out.memory->size());
  std::vector<DeviceBuffer> device_inputs;
  std::vector<BiasInput> bias_inputs;
  for (const auto& [name, host] : inputs) {
    device_inputs.push_back(upload(host));
    bias_inputs.push_back({name, on_gpu(host, device_inputs.back())});
  }
  kernel.launch({.q = on_gpu(q, device_q),
                 .k = on_gpu(k, device_k),
                 .v = on_gpu(v, device_v),
                 .out = on_gpu(out, device_out),
                 .log_sum_exp = {},
                 .bias_inputs = bias_inputs,
                 .softmax_scale = {}},
                nullptr);
  device_out.download(out.memory->data());

  reference::Inputs host_inputs;
  for (const auto& [name, host] : inputs) host_inputs.emplace(name, host.view);
  std::vector<reference::Row> rows;
  for (std::int64_t i = 0; i < std::min<std::int64_t>(sizes.seqlen, 32); ++i) {
    rows.push_back({.batch = sizes.batch - 1,
                    .head = i % sizes.heads,
                    .q_index = sizes.seqlen - 1 - i,
                    .out = {},
                    .log_sum_exp = 0});
  }
  reference::attention(config, q.view, k.view, v.view, host_inputs, 1 / std::sqrt(config.head_dim), rows);
  std::vector<double> actual;
  for (const auto& row : rows) {
    const auto first = ((row.batch * sizes.seqlen + row.q_index) * sizes.heads + row.head) * config.head_dim_v;
    for (int d = 0; d < config.head_dim_v; ++d) actual.push_back(reference::read_element(out.view, first + d));
  }
  const auto report = reference::compare(rows, actual, config.dtype);
  std::cout << "error against float64: " << report.error << ", " << report.ratio() << " times that of rounding\n";
  return report.ratio() <= 1.5;
}

/// Prints the plan of a config; with a GPU also runs it. `make_inputs` gives the bias' inputs. A program's exit status.
template <class MakeInputs>
int demonstrate(flashbias::AttentionConfig config, const Sizes& sizes, MakeInputs make_inputs) {
  try {
    const auto arch = gpu();
    config.arch = arch.value_or(flashbias::parse_arch("sm_90a"));
    const auto compiled = flashbias::jit::get_cubin(config);
    std::cout << flashbias::explain(compiled.plan) << compiled.cubin.resources.registers << " registers, key "
              << compiled.key << '\n';
    if (!arch) return 0;
    return run_and_check(flashbias::jit::get(config), sizes, make_inputs()) ? 0 : 1;
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}

}  // namespace example
