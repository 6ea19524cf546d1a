#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "flashbias/plan.hpp"
#include "tools/host_tensor.hpp"
#include "tools/manifest.hpp"
#include "tools/npz.hpp"

namespace flashbias::tools {

/// Operands of one attention call, in host memory.
struct AttentionProblem {
  HostTensor q;
  HostTensor k;
  HostTensor v;
  NamedTensors inputs;  ///< of the bias, by name
};

/// Sizes as the tensors have them; the launch checks that they agree.
[[nodiscard]] Shape shape_of(const AttentionProblem& problem);

/// Normal random q, k and v. Bias inputs are shared by the batch: learned factors, tables and matrices differ by head,
/// f32 and integer inputs of a token do not; head scalars are ALiBi's slopes, 2^(-8 (h + 1) / H). An
/// input of a declared range is uniform in it.
[[nodiscard]] AttentionProblem random_problem(const KernelPlan& plan, const Shape& shape, std::uint64_t seed);

/// Normal numbers for the gradient of the output, [B, Nq, H, Dv].
[[nodiscard]] HostTensor random_d_out(const AttentionConfig& config, const Shape& shape, std::uint64_t seed);

}  // namespace flashbias::tools
