#include "codegen/tiles.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "codegen/shared_layout.hpp"
#include "codegen/window.hpp"
#include "flashbias/error.hpp"

namespace flashbias::codegen {
namespace {

/// Tiles by the larger of head_dim and head_dim_v, best first as measured on Hopper; those that may spill were faster
/// all the same.
struct Candidate {
  int max_head_dim;
  int spare_registers;   ///< that a bias may take, in the units of `registers_of`
  int max_factor_steps;  ///< of the tensor cores, up to which the next candidate is slower
  Tile tile;
};

constexpr int kAny = std::numeric_limits<int>::max();

const std::array<Candidate, 13>& candidates() {
  static const std::array<Candidate, 13> table = {{
      // 4 to 10 % faster than 128 queries x 64 keys without bias and with ALiBi, as fast with distances.
      {16, 20, 0, {64, 128, 4, 4, true, 8, "queries stay in registers; four blocks a multiprocessor hide latency"}},
      // 8 % faster than 64 queries x 128 keys with the split factors of distances: more rows share those of a key.
      {16, 20, kAny, {128, 64, 4, 4, true, 40, "queries stay in registers; 128 rows share the factors of a key"}},
      // Spilling and all 4 to 19 % faster than 64 keys; 10 % slower from rank 64 on.
      {32, 16, 2, {128, 128, 4, 2, true, 176, "queries stay in registers; 128 keys halve the barriers"}},
      {32, 20, kAny, {128, 64, 4, 3, true, 16, "queries stay in registers; three blocks hide latency"}},
      {64, 30, kAny, {128, 64, 4, 2, true, 24, "queries stay in registers; 32 rows a warp share each key fragment"}},
      // Spilling and all 7 to 13 % faster than 32 keys, which do not.
      {128, 8, kAny, {128, 64, 4, 2, false, 80, "32 rows a warp share each key fragment"}},
      {128, 20, kAny, {128, 32, 4, 2, false, 0, "32 rows a warp share each key fragment; no registers for 64 keys"}},
      {128, 64, kAny, {64, 64, 4, 2, false, 0, "16 rows a warp leave registers for the bias"}},
      {192, 40, kAny, {64, 64, 4, 2, false, 0, "16 rows a warp: the output of 32 rows does not fit registers"}},
      {256, 6, kAny, {64, 64, 4, 1, false, 16, "16 rows a warp: the output of 32 rows does not fit registers"}},
      {256, 40, kAny, {64, 48, 4, 1, false, 0, "16 rows a warp; registers or shared memory bar 64 keys"}},
      {256, 40, kAny, {64, 32, 4, 1, false, 0, "16 rows a warp; registers or shared memory bar 48 keys"}},
      {256, 200, kAny, {64, 16, 4, 1, false, 0, "16 rows a warp; registers or shared memory bar 32 keys"}},
  }};
  return table;
}

/// Tiles for windows, whose number of tokens is known ahead: what a tile has beyond the window is computed for nothing.
struct WindowCandidate {
  int max_head_dim;
  double cost;  ///< time of a score, those beyond the window included, in units of the best tile's; as measured
  int allowed_spill_bytes;
  int block_q, block_k, warps, blocks_per_multiprocessor;

  /// Time of a window, in the units of `cost`.
  [[nodiscard]] double time(std::int64_t tokens) const {
    const auto padded = [tokens](int block) { return (tokens + block - 1) / block * block; };
    return cost * static_cast<double>(padded(block_q) * padded(block_k));
  }
  [[nodiscard]] Tile tile(std::int64_t tokens) const {
    return {.block_q = block_q,
            .block_k = block_k,
            .warps = warps,
            .blocks_per_multiprocessor = blocks_per_multiprocessor,
            .query_in_registers = true,
            .allowed_spill_bytes = allowed_spill_bytes,
            .reason = fmt::format("queries stay in registers; least time for a window of {} tokens", tokens)};
  }
};

/// A window's bias takes few registers; with more beside it the other candidates serve better.
constexpr int kSpareRegistersOfWindows = 16;

constexpr std::array<WindowCandidate, 7> kWindowCandidates = {{
    // head_dim, cost, spills, queries, keys, warps, blocks
    {32, 1.00, 48, 128, 64, 4, 3},
    {32, 1.02, 40, 96, 64, 3, 3},
    {32, 1.04, 48, 64, 64, 4, 6},
    {32, 1.30, 32, 144, 48, 9, 3},
    {64, 1.00, 24, 64, 64, 4, 4},
    {64, 1.01, 8, 128, 64, 4, 2},
    {64, 1.20, 0, 48, 48, 3, 5},
}};

/// Of the ends of a key range, which are read back once a step.
constexpr int kSpillsOfKeyRange = 16;

int factor_registers(const BiasProgram& program) {
  constexpr int kFactorAddresses = 8;
  int count = kFactorAddresses * static_cast<int>(program.factors.size());
  if (program.split_factors) count += kFactorAddresses + program.split_factors->rank();
  return count;
}

Tile best_tile(const AttentionConfig& config, const BiasProgram& program) {
  if (auto chosen = choose_window_tile(config, program)) return std::move(chosen->tile);
  const int limit = shared_bytes_limit(config.arch);
  const int head_dim = std::max(config.head_dim, config.head_dim_v);
  for (const Candidate& candidate : candidates())
    if (head_dim <= candidate.max_head_dim && program.factor_steps() <= candidate.max_factor_steps &&
        registers_of(config, candidate.tile, program) + factor_registers(program) <= candidate.spare_registers &&
        shared_bytes(config, candidate.tile, program) <= limit)
      return candidate.tile;
  throw Error(ErrorCode::invalid_config,
              "bias: needs " + std::to_string(shared_bytes(config, candidates().back().tile, program)) +
                  " bytes of shared memory a thread block, more than the " + std::to_string(limit) + " of " +
                  to_string(config.arch) +
                  ", or more registers than a thread has; use a smaller rank or table, or fewer terms");
}

}  // namespace

std::optional<WindowTile> choose_window_tile(const AttentionConfig& config, const BiasProgram& program) {
  const auto tokens = window_tokens(config.bias);
  const int head_dim = std::max(config.head_dim, config.head_dim_v);
  if (!tokens || program.factor_steps() > 0) return std::nullopt;
  const WindowCandidate* best = nullptr;
  for (const WindowCandidate& candidate : kWindowCandidates) {
    // Of the head dimensions measured, the next larger one counts.
    if (head_dim > candidate.max_head_dim || (best != nullptr && candidate.max_head_dim > best->max_head_dim)) continue;
    if (best == nullptr || candidate.time(*tokens) < best->time(*tokens)) best = &candidate;
  }
  if (best == nullptr) return std::nullopt;
  WindowTile chosen{*tokens, best->tile(*tokens), best->time(*tokens)};
  const bool fits = registers_of(config, chosen.tile, program) <= kSpareRegistersOfWindows &&
                    shared_bytes(config, chosen.tile, program) <= shared_bytes_limit(config.arch);
  return fits ? std::optional(std::move(chosen)) : std::nullopt;
}

int registers_of(const AttentionConfig& config, const Tile& tile, const BiasProgram& program) {
  constexpr int kTableAddress = 4;
  constexpr int kPairRows = 32;
  const int row_slots = tile.block_q / (8 * tile.warps);
  int count = row_slots * static_cast<int>(program.hoisted.row.size());
  count += kTableAddress * static_cast<int>(shared_tables(program).size());
  if (!tile.pair_tiles) count += kPairRows * static_cast<int>(pair_inputs(config, program).size());
  return count;
}

int shared_bytes_limit(Arch arch) {
  switch (arch.compute_capability) {
    case 80:
      return 163 * 1024;
    case 86:
    case 89:
    case 120:
      return 99 * 1024;
    default:
      return 227 * 1024;
  }
}

namespace {

Tile forced_tile(const AttentionConfig& config, const BiasProgram& program) {
  const TileShape& shape = *config.tile;
  Tile tile{.block_q = shape.block_q,
            .block_k = shape.block_k,
            .warps = shape.warps,
            .blocks_per_multiprocessor = shape.blocks_per_multiprocessor,
            .query_in_registers = shape.query_in_registers,
            .reason = "as the config says"};
  const int bytes = shared_bytes(config, tile, program);
  if (bytes <= shared_bytes_limit(config.arch)) return tile;
  throw Error(ErrorCode::invalid_config,
              fmt::format("tile {} needs {} bytes of shared memory a thread block, more than the {} of {}; use a "
                          "smaller one",
                          to_string(shape), bytes, shared_bytes_limit(config.arch), to_string(config.arch)));
}

}  // namespace

Tile choose_tile(const AttentionConfig& config, const BiasProgram& program) {
  if (config.tile) return forced_tile(config, program);
  Tile tile = best_tile(config, program);
  if (program.visible.is_bounded()) tile.allowed_spill_bytes += kSpillsOfKeyRange;
  return tile;
}

}  // namespace flashbias::codegen
