#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "flashbias/cubin.hpp"
#include "flashbias/plan.hpp"
#include "flashbias/tensor.hpp"

/// A CUDA stream, as the driver API (CUstream) and the runtime API (cudaStream_t) both define it.
struct CUstream_st;

namespace flashbias {

/// A tensor for one of the bias' inputs.
struct BiasInput {
  std::string_view name;
  TensorView tensor;
};

/// Operands of one attention call. Tensors are [batch, seqlen, heads, head_dim] with any strides whose last is 1 and
/// whose others are multiples of 16 bytes (0 broadcasts an input over batch or heads); pointers are aligned to 16
/// bytes.
struct AttentionArguments {
  TensorView q;                              ///< [B, Nq, H, D]
  TensorView k;                              ///< [B, Nk, Hk, D], H a multiple of Hk
  TensorView v;                              ///< [B, Nk, Hk, Dv]
  TensorView out;                            ///< [B, Nq, H, Dv]
  std::optional<TensorView> log_sum_exp{};   ///< f32 [B, H, Nq]; exactly when the config asks for it
  std::span<const BiasInput> bias_inputs{};  ///< exactly those of plan().inputs, in any order
  std::optional<float> softmax_scale{};      ///< in [2^-40, 2^40]; default 1 / sqrt(D)
};

/// A kernel ready to launch: a handle of one pointer, safe to use from many threads and with any device of its
/// architecture. A kernel stays loaded until the process ends, so a handle never dangles and copying one counts
/// nothing.
class Kernel {
 public:
  struct Impl;
  explicit Kernel(const Impl& impl) noexcept : impl_(&impl) {}

  /// Checks every argument, then enqueues the kernel on the stream (nullptr: the legacy default stream) of the
  /// current context. Allocates nothing, synchronises nothing, may be captured in a CUDA graph.
  /// Throws Error(invalid_argument) before anything is launched, Error(cuda) if the driver refuses.
  void launch(const AttentionArguments& arguments, CUstream_st* stream) const;

  [[nodiscard]] const KernelPlan& plan() const noexcept;
  [[nodiscard]] const KernelResources& resources() const noexcept;
  [[nodiscard]] std::string_view key() const noexcept;  ///< its cache key, 64 hex digits

 private:
  const Impl* impl_;
};

}  // namespace flashbias
