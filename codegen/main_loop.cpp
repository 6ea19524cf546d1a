#include "codegen/main_loop.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "codegen/excerpt.hpp"
#include "codegen/operation_count.hpp"
#include "codegen/shared_layout.hpp"
#include "codegen/tiles.hpp"
#include "flashbias/error.hpp"

namespace flashbias {
namespace {

/// In the order of MainLoop.
constexpr std::array<std::string_view, 2> kMainLoopNames{"portable", "hopper"};

}  // namespace

std::string_view to_string(MainLoop main_loop) noexcept { return kMainLoopNames[static_cast<std::size_t>(main_loop)]; }

MainLoop parse_main_loop(std::string_view text) {
  const auto* const found = std::ranges::find(kMainLoopNames, text);
  if (found == kMainLoopNames.end())
    throw Error(ErrorCode::parse, fmt::format("'{}' is no main loop; accepted are {}", codegen::excerpt(text),
                                              fmt::join(kMainLoopNames, ", ")));
  return static_cast<MainLoop>(found - kMainLoopNames.begin());
}

}  // namespace flashbias

namespace flashbias::codegen {
namespace {

constexpr Arch kHopper{90};
constexpr int kSmallHeadDim = 16;
constexpr int kHopperSpillsOfKeyRange = 32;  ///< of its ends, which are read back once a tile
constexpr int kRanksFetched = 8;             ///< the copy engine's strides are multiples of 16 bytes

/// Tiles by the larger of head_dim and head_dim_v, best first as measured; each warpgroup of 4 warps has 64 queries.
struct HopperCandidate {
  int max_head_dim;
  int spare_registers;  ///< that a bias may take, in the units of `registers_of`
  int block_k;
  int warpgroups;
  int stages;
  const char* reason;
  int allowed_spill_bytes = 0;
};

constexpr std::array<HopperCandidate, 10> kCandidates = {{
    {64, 6, 128, 3, 2, "three warpgroups share the tensor cores"},
    {64, 30, 128, 2, 2, "two warpgroups share the tensor cores and leave registers for the bias"},
    {64, 40, 96, 2, 2, "two warpgroups share the tensor cores and leave registers for the bias"},
    {128, 12, 128, 2, 2, "two warpgroups share the tensor cores"},
    {128, 40, 96, 2, 2, "two warpgroups share the tensor cores; no registers for 128 keys"},
    {192, 12, 112, 2, 2, "two warpgroups share the tensor cores; shared memory bars 128 keys"},
    {192, 40, 64, 2, 2, "two warpgroups share the tensor cores; no registers for 112 keys"},
    {256, 10, 80, 2, 2, "two warpgroups share the tensor cores; shared memory bars 128 keys"},
    {256, 30, 48, 2, 2, "two warpgroups share the tensor cores; no registers for 80 keys"},
    // The supplier's warps spill, once a block.
    {256, 40, 32, 2, 2, "two warpgroups share the tensor cores; no registers for 48 keys", 8},
}};

/// Registers a thread that the bias takes in the main loop for Hopper.
int hopper_registers_of(const AttentionConfig& config, const Tile& tile, const BiasProgram& program) {
  constexpr int kTermsBesideFactors = 8;
  // Beyond so many operations a score, their intermediates spill (354 bytes a thread) where three warpgroups share the
  // registers, and not where two do.
  constexpr int kManyOperations = 96;
  constexpr int kIntermediates = 4;
  const bool both = !program.factors.empty() && program.has_score_terms();
  // Measured at head dimension 64: two warpgroups 273 TFLOP/s, three 218; at 32 150 and 172.
  constexpr int kPairTiles = 8;
  const bool shares_badly = tile.pair_tiles && (std::max(config.head_dim, config.head_dim_v) > 32 ||
                                                key_term_words(program) > 0 || pair_inputs(config, program).size() > 1);
  const bool is_long = operation_count(program.score) > kManyOperations;
  return registers_of(config, tile, program) + (both ? kTermsBesideFactors : 0) + (is_long ? kIntermediates : 0) +
         (shares_badly ? kPairTiles : 0);
}

/// Nothing where it does not fit into shared memory.
std::optional<Tile> tile_of(const HopperCandidate& candidate, const AttentionConfig& config, const BiasProgram& program,
                            bool pair_tiles) {
  Tile tile{.block_q = 64 * candidate.warpgroups,
            .block_k = candidate.block_k,
            .warps = 4 * candidate.warpgroups,
            .allowed_spill_bytes =
                candidate.allowed_spill_bytes + (program.visible.is_bounded() ? kHopperSpillsOfKeyRange : 0),
            .reason = candidate.reason,
            .stages = candidate.stages,
            .pair_tiles = pair_tiles,
            .pairs_blocks = config.causal && !program.visible.is_bounded()};
  for (const bool over : {false, true}) {
    tile.output_over_queries = over;
    if (hopper_shared_bytes(config, tile, program) <= shared_bytes_limit(config.arch)) return tile;
  }
  return std::nullopt;
}

/// Whether a window is computed faster by the portable main loop, whose tiles fit it.
bool window_prefers_portable(const AttentionConfig& config, const Tile& tile, const BiasProgram& program) {
  const auto window = choose_window_tile(config, program);
  if (!window) return false;
  // Of a score, those beyond the window included, in units of the best portable tile's; measured at 576 tokens.
  const double cost = std::max(config.head_dim, config.head_dim_v) <= 32 ? 0.90 : 0.76;
  const auto padded = [&](int block) { return (window->tokens + block - 1) / block * block; };
  return window->time < cost * static_cast<double>(padded(tile.block_q) * padded(tile.block_k));
}

}  // namespace

/// The 64 Ki registers of a multiprocessor, shared out in steps of 8 a thread.
RoleRegisters registers_of_roles(const Tile& tile) {
  return tile.warps == 12 ? RoleRegisters{32, 160} : RoleRegisters{40, 232};
}

std::optional<std::string> why_portable(const AttentionConfig& config) {
  if (config.main_loop == MainLoop::portable) return "the one that the config asks for";
  if (config.arch != kHopper) return "the one for " + to_string(config.arch);
  if (config.tile) return "the tile that the config asks for is one of its own";
  return std::nullopt;
}

bool is_bound_by_instructions(const AttentionConfig& config) {
  return std::max(config.head_dim, config.head_dim_v) <= kSmallHeadDim;
}

std::optional<std::string> why_portable(const FactorTerm& factors, DType dtype_of_q) {
  if (factors.dtype != dtype_of_q) return "factors of another type than q: wgmma multiplies them in steps of their own";
  if (factors.rank % kRanksFetched != 0)
    return "factors of rank " + std::to_string(factors.rank) +
           ": the copy engine of Hopper fetches ranks that are multiples of 8";
  return std::nullopt;
}

MainLoopChoice choose_main_loop(const AttentionConfig& config, const BiasProgram& program) {
  const auto portable = [&](std::string reason) {
    return MainLoopChoice{MainLoop::portable, std::move(reason), choose_tile(config, program)};
  };
  if (auto reason = why_portable(config)) return portable(*std::move(reason));
  if (program.split_factors && !program.factors.empty())
    return portable("factors computed in the kernel beside supplied ones are multiplied by mma.sync");
  for (const FactorTerm& factors : program.factors)
    if (auto reason = why_portable(factors, config.dtype)) return portable(*std::move(reason));
  // 10 % slower there with windows and distances, 12 % faster without a bias.
  const std::vector<InputSpec> pairs = pair_inputs(config, program);
  if (is_bound_by_instructions(config) && pairs.empty() && (program.has_score() || program.has_diagonal()))
    return portable(
        "head dimensions up to 16 with terms of each score are bound by instructions, and wgmma saves none");
  const int head_dim = std::max(config.head_dim, config.head_dim_v);
  for (const HopperCandidate& candidate : kCandidates) {
    if (head_dim > candidate.max_head_dim) continue;
    for (const bool pair_tiles : {true, false}) {
      if (pair_tiles && pairs.empty()) continue;
      auto tile = tile_of(candidate, config, program, pair_tiles);
      if (!tile || hopper_registers_of(config, *tile, program) > candidate.spare_registers) continue;
      if (window_prefers_portable(config, *tile, program)) return portable("its tiles fit the window");
      return {MainLoop::hopper, "wgmma fed by the copy engine", *std::move(tile)};
    }
  }
  return portable("in the one for Hopper the bias fits neither shared memory nor registers");
}

}  // namespace flashbias::codegen
