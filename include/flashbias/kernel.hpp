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
/// whose others are multiples of 16 bytes (0 broadcasts an input over batch or heads), in the loop for Hopper from 0 to
/// 2^40 bytes; pointers are aligned to 16 bytes. What is written overlaps neither itself, which is checked, nor an
/// input, which is not.
struct AttentionArguments {
  TensorView q;                              ///< [B, Nq, H, D]
  TensorView k;                              ///< [B, Nk, Hk, D], H a multiple of Hk
  TensorView v;                              ///< [B, Nk, Hk, Dv]
  TensorView out;                            ///< [B, Nq, H, Dv]
  std::optional<TensorView> log_sum_exp{};   ///< f32 [B, H, Nq]; exactly when the config asks for it
  std::span<const BiasInput> bias_inputs{};  ///< exactly those of plan().inputs, in any order
  std::optional<float> softmax_scale{};      ///< in [2^-40, 2^40]; default 1 / sqrt(D)
};

/// A tensor for the gradient of `q`, `k`, `v` or an input of the bias.
struct GradientOutput {
  std::string_view name;
  TensorView tensor;
};

/// Operands of one call of a kernel for gradients (direction=backward). Tensors as in AttentionArguments.
///
/// Gradients of q, k and v have their shapes and dtype. That of an input of the bias is f32, contiguous, and has the
/// shape of the tensor bound to it: what was broadcast over batch or heads gets the sum over them. With P the
/// probabilities and dP = d_out v^T, they are made of the gradient of the biased scores, dS = P (dP - rowsum(P dP)):
/// d_q = scale dS k, d_k = scale dS^T q, d_v = P^T d_out, and of an input x the sum of dS d(bias)/dx.
struct BackwardArguments {
  TensorView q;                                 ///< [B, Nq, H, D]
  TensorView k;                                 ///< [B, Nk, Hk, D], H a multiple of Hk
  TensorView v;                                 ///< [B, Nk, Hk, Dv]
  TensorView out;                               ///< [B, Nq, H, Dv], of the forward pass
  TensorView log_sum_exp;                       ///< f32 [B, H, Nq], of the forward pass
  TensorView d_out;                             ///< [B, Nq, H, Dv], the gradient of out
  std::span<const BiasInput> bias_inputs{};     ///< exactly those of plan().inputs, in any order
  std::span<const GradientOutput> gradients{};  ///< exactly those that the config asks for, in any order
  std::optional<float> softmax_scale{};         ///< that of the forward pass; default 1 / sqrt(D)
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
  /// The same of a kernel for gradients; those of the bias' inputs are zeroed on the stream first. What its kernels
  /// hand over to each other (`explain` tells how much) is allocated on the stream, from a memory pool that keeps what
  /// it once had until the process ends: Error(cuda) also where there is not enough.
  void launch_backward(const BackwardArguments& arguments, CUstream_st* stream) const;

  [[nodiscard]] const KernelPlan& plan() const noexcept;
  [[nodiscard]] const KernelResources& resources() const noexcept;
  [[nodiscard]] std::string_view key() const noexcept;  ///< its cache key, 64 hex digits

 private:
  const Impl* impl_;
};

}  // namespace flashbias
