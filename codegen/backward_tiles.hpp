#pragma once

#include <optional>

#include "codegen/backward_bias_emitter.hpp"
#include "flashbias/plan.hpp"

namespace flashbias::codegen {

// Of the portable loop of the backward pass.

/// For a pass of keys that adds to queries; nothing where registers or shared memory do not hold what it needs.
[[nodiscard]] std::optional<Tile> tile_of_shared_pass(const AttentionConfig& config, const BackwardBias& bias);

/// For a pass of keys and one of queries. Throws Error(invalid_config) where nothing fits into shared memory.
[[nodiscard]] Tile tile_of_passes(const AttentionConfig& config, const BackwardBias& bias);

}  // namespace flashbias::codegen
