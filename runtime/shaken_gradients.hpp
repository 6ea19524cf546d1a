#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "flashbias/reference.hpp"

namespace flashbias::reference {

/// Changes each number by up to half a unit in the last place of a dtype of 16 bits; in the same way for a seed.
struct Shaking {
  DType dtype = DType::f16;
  std::uint64_t seed = 0;
};

/// `gradients` of a shaken dout, with sum_j P dP taken from it and a shaken output: as far off as whoever gets both in
/// 16 bits may be. In reference_gradients.cpp, whose solver it shares.
[[nodiscard]] Gradients shaken_gradients(const AttentionConfig& config, const TensorView& q, const TensorView& k,
                                         const TensorView& v, const Inputs& bias_inputs, double softmax_scale,
                                         const TensorView& dout, const std::vector<std::string>& inputs_of_interest,
                                         const Shaking& shaking);

}  // namespace flashbias::reference
