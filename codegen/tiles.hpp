#pragma once

#include "codegen/bias_program.hpp"
#include "flashbias/plan.hpp"

namespace flashbias::codegen {

/// The tile for a config on its architecture. Throws Error(invalid_config) where nothing fits into shared memory.
[[nodiscard]] Tile choose_tile(const AttentionConfig& config, const BiasProgram& program);

/// Dynamic shared memory that a thread block may have.
[[nodiscard]] int shared_bytes_limit(Arch arch);

}  // namespace flashbias::codegen
