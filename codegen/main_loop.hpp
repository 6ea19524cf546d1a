#pragma once

#include <optional>
#include <string>

#include "codegen/bias_program.hpp"
#include "flashbias/plan.hpp"

namespace flashbias::codegen {

/// The main loop for a config on its architecture, its tile, and why it is this one.
struct MainLoopChoice {
  MainLoop main_loop = MainLoop::portable;
  std::string reason;
  Tile tile;
};

/// Why a config takes the portable main loop whatever its bias is; nothing where it need not.
[[nodiscard]] std::optional<std::string> why_portable(const AttentionConfig& config);

/// Whether a score takes few tensor-core cycles beside its instructions, of which wgmma saves none.
[[nodiscard]] bool is_bound_by_instructions(const AttentionConfig& config);

/// Why supplied factors take it.
[[nodiscard]] std::optional<std::string> why_portable(const FactorTerm& factors, DType dtype_of_q);

/// Throws Error(invalid_config) where no tile fits into shared memory.
[[nodiscard]] MainLoopChoice choose_main_loop(const AttentionConfig& config, const BiasProgram& program);

/// Registers a thread of the main loop for Hopper.
struct RoleRegisters {
  int producer = 0;
  int consumer = 0;
};
[[nodiscard]] RoleRegisters registers_of_roles(const Tile& tile);

}  // namespace flashbias::codegen
