#pragma once

#include <string>

#include "flashbias/plan.hpp"

/// What a bias does along the way of the main loop for Hopper alone (templates/hopper/hooks.cuh). Plans are of that
/// loop.
namespace flashbias::codegen {

/// Whether queries are multiplied by the softmax scale where that is a power of two, as the default one is: 16-bit
/// numbers are multiplied exactly, and learned factors are added to the products as they are. The descriptors of many
/// steps in one group of products would spill.
[[nodiscard]] bool may_scale_queries(const KernelPlan& plan);

/// The type of an input's tiles in shared memory.
[[nodiscard]] std::string pair_tiles_type(const InputSpec& input);

/// Members of the struct Bias that the hooks' defaults have, too: what is fetched, and when it is read.
[[nodiscard]] std::string emit_hopper_constants(const KernelPlan& plan);

/// Functions of the struct Bias: what the copy engine fetches, and products that scores are made of.
[[nodiscard]] std::string emit_hopper_hooks(const KernelPlan& plan);

}  // namespace flashbias::codegen
