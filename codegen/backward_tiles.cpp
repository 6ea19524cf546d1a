#include "codegen/backward_tiles.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "codegen/gradients.hpp"
#include "codegen/shared_layout.hpp"
#include "codegen/tiles.hpp"
#include "flashbias/error.hpp"

namespace flashbias::codegen {
namespace {

/// Bytes a thread may spill where it holds more than a few.
constexpr int kSpillsOfManyColumns = 384;
constexpr int kFewColumns = 128;

/// Numbers that a thread keeps of the gradients of its rows, beside which scores find registers.
constexpr int kMaxSums = 144;

int sums_of_thread(const AttentionConfig& config, const BackwardBias& bias, const Tile& tile) {
  constexpr int kLanes = 32;
  const int groups = tile.rows_a_warp * tile.warps / tile.block_k;
  const auto of_group = [&](int columns) { return (columns + 16 * groups - 1) / (16 * groups) * 16; };
  int columns = of_group(config.head_dim) + of_group(config.head_dim_v);
  for (const FactorTerm& term : bias.factor_terms())
    if (wants_gradient(config, term.k_input)) columns += (term.rank + 15) / 16 * 16;
  return tile.rows_a_warp * columns / kLanes;
}

[[maybe_unused]] bool fits(const AttentionConfig& config, const BackwardBias& bias, const Tile& tile) {
  return sums_of_thread(config, bias, tile) <= kMaxSums &&
         tile.blocks_per_multiprocessor * backward_shared_bytes(config, tile, bias, true) <=
             shared_bytes_limit(config.arch);
}

}  // namespace

std::optional<Tile> tile_of_shared_pass(const AttentionConfig& config, const BackwardBias& bias) {
  if (const char* e = std::getenv("FB_TILE")) {
    Tile tile{.allowed_spill_bytes = 4000, .reason = "experiment"};
    std::sscanf(e, "%d,%d,%d,%d,%d,%d,%d", &tile.block_q, &tile.block_k, &tile.warps, &tile.stages,
                &tile.blocks_per_multiprocessor, &tile.columns_at_once, &tile.rows_a_warp);
    return tile;
  }
  return fits(config, bias, {}) ? std::nullopt : std::optional<Tile>{};
}

Tile tile_of_passes(const AttentionConfig& config, const BackwardBias& bias) {
  for (const int block : {64, 32}) {
    Tile tile{.block_q = block,
              .block_k = block,
              .warps = block / 16,
              .blocks_per_multiprocessor = 1,
              .allowed_spill_bytes = config.head_dim + config.head_dim_v > kFewColumns ? kSpillsOfManyColumns : 0,
              .reason = block == 64 ? "each warp keeps the gradients of 16 rows in registers"
                                    : "shared memory bars 64 rows; each warp keeps the gradients of 16 in registers",
              .columns_at_once = std::max(config.head_dim, config.head_dim_v) > 128 ? 16 : 32};
    for (tile.stages = 2; tile.stages > 0; --tile.stages)
      if (backward_shared_bytes(config, tile, bias, false) <= shared_bytes_limit(config.arch)) return tile;
  }
  throw Error(ErrorCode::invalid_config, "head_dim is " + std::to_string(config.head_dim) + " and head_dim_v " +
                                             std::to_string(config.head_dim_v) +
                                             ": with this bias no tile of the backward pass fits into the " +
                                             std::to_string(shared_bytes_limit(config.arch)) +
                                             " bytes of shared memory of " + to_string(config.arch));
}

}  // namespace flashbias::codegen
