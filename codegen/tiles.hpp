#pragma once

#include <cstdint>
#include <optional>

#include "codegen/bias_program.hpp"
#include "flashbias/plan.hpp"

namespace flashbias::codegen {

/// The tile for a config on its architecture. Throws Error(invalid_config) where nothing fits into shared memory.
[[nodiscard]] Tile choose_tile(const AttentionConfig& config, const BiasProgram& program);

/// A tile for the window that a bias is made for.
struct WindowTile {
  std::int64_t tokens = 0;
  Tile tile;
  double time = 0;  ///< of a window, in units of a score of the best portable tile
};

/// Nothing where the bias is not made for a window, or where other tiles serve better.
[[nodiscard]] std::optional<WindowTile> choose_window_tile(const AttentionConfig& config, const BiasProgram& program);

/// Registers a thread that the bias, but for its factors, takes while the keys pass by.
[[nodiscard]] int registers_of(const AttentionConfig& config, const Tile& tile, const BiasProgram& program);

/// Dynamic shared memory that a thread block may have.
[[nodiscard]] int shared_bytes_limit(Arch arch);

}  // namespace flashbias::codegen
