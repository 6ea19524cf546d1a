#include "codegen/backward_tiles.hpp"

#include <algorithm>
#include <array>
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

constexpr const char* kRowsOf32 =
    "each warp keeps the gradients of 32 keys in registers, for which it reads queries once";
constexpr const char* kRowsOf16 = "each warp keeps the gradients of 16 keys in registers";
constexpr const char* kSharedRows = "two warps share keys, each with the gradients of half of the columns in registers";

/// A tile for a pass of keys that adds to queries, of which 64 pass by at a time.
struct Form {
  int max_head_dim;
  int max_sums;  ///< numbers that a thread keeps of the gradients of its keys, beside which scores find registers
  int keys;
  int warps;
  int rows_a_warp;
  int blocks_per_multiprocessor;
  int stages;
  int columns_at_once;
  const char* reason;

  [[nodiscard]] Tile tile() const {
    return {.block_q = 64,
            .block_k = keys,
            .warps = warps,
            .blocks_per_multiprocessor = blocks_per_multiprocessor,
            .allowed_spill_bytes = kSpillsOfManyColumns,
            .reason = reason,
            .columns_at_once = columns_at_once,
            .rows_a_warp = rows_a_warp,
            .stages = stages};
  }
};

/// The first that fits is taken, with fewer stages where shared memory bars these. Measured on an H200, without factors
/// where not said, in TFLOP/s (docs/history.md).
constexpr std::array kForms = {
    // D = 16: 130, two blocks 118.
    Form{16, 48, 128, 4, 32, 3, 2, 32, kRowsOf32},
    // D = 32: 244, three blocks 218 to 233, 16 keys a warp 195 to 200; 128 queries 246, but 139 instead of 146 at 576
    // tokens.
    Form{32, 128, 128, 4, 32, 2, 2, 32, kRowsOf32},
    // D = 64: 255, two stages 252, 128 queries 241, 16 keys a warp 196 to 220; R = 16: 257 and 211 with two stages.
    Form{64, 160, 128, 4, 32, 2, 1, 32, kRowsOf32},
    Form{64, 160, 128, 8, 16, 1, 2, 32, kRowsOf16},
    // D = 128: 250, one stage 245, two blocks of 64 keys 248, 16 keys a warp 217 to 223.
    Form{128, 160, 128, 8, 32, 1, 2, 32, kSharedRows},
    Form{128, 192, 128, 8, 16, 1, 2, 16, kRowsOf16},
    Form{128, 160, 64, 4, 32, 1, 2, 32, kSharedRows},
    // D = 256: 220, one stage 214; D = 192: 209 and 211.
    Form{256, 160, 64, 8, 16, 1, 2, 32, kSharedRows},
};

int sums_of_thread(const AttentionConfig& config, const BackwardBias& bias, const Tile& tile) {
  constexpr int kLanes = 32;
  const int groups = tile.rows_a_warp * tile.warps / tile.block_k;
  const auto of_group = [&](int columns) { return (columns + 16 * groups - 1) / (16 * groups) * 16; };
  int columns = of_group(config.head_dim) + of_group(config.head_dim_v);
  for (const FactorTerm& term : bias.factor_terms())
    if (wants_gradient(config, term.k_input)) columns += (term.rank + 15) / 16 * 16;
  return tile.rows_a_warp * columns / kLanes;
}

bool fits_shared_memory(const AttentionConfig& config, const BackwardBias& bias, const Tile& tile) {
  constexpr int kReserved = 1024;  // of each thread block
  const int bytes = backward_shared_bytes(config, tile, bias, true) + kReserved;
  return tile.blocks_per_multiprocessor * bytes <= shared_bytes_limit(config.arch) + kReserved;
}

}  // namespace

std::optional<Tile> tile_of_shared_pass(const AttentionConfig& config, const BackwardBias& bias) {
  for (const Form& form : kForms) {
    if (std::max(config.head_dim, config.head_dim_v) > form.max_head_dim) continue;
    Tile tile = form.tile();
    if (sums_of_thread(config, bias, tile) > form.max_sums) continue;
    for (; tile.stages > 0; --tile.stages)
      if (fits_shared_memory(config, bias, tile)) return tile;
  }
  return std::nullopt;
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
