#include "codegen/tiles.hpp"

#include <algorithm>
#include <array>

#include "codegen/hoisting.hpp"
#include "codegen/inputs.hpp"
#include "codegen/shared_layout.hpp"
#include "flashbias/error.hpp"

namespace flashbias::codegen {
namespace {

/// Tiles by the larger of head_dim and head_dim_v, best first as measured on Hopper; those that may spill were faster
/// all the same.
struct Candidate {
  int max_head_dim;
  int spare_registers;  ///< that a bias may take, in the units of `registers_of`
  Tile tile;
};

const std::array<Candidate, 11>& candidates() {
  static const std::array<Candidate, 11> table = {{
      {16, 20, {128, 64, 4, 3, true, 0, "queries stay in registers; three blocks a multiprocessor hide latency"}},
      // Spilling and all 8 to 19 % faster than 64 keys, for all biases measured.
      {32, 16, {128, 128, 4, 2, true, 176, "queries stay in registers; 128 keys halve the barriers"}},
      {64, 30, {128, 64, 4, 2, true, 16, "queries stay in registers; 32 rows a warp share each key fragment"}},
      // Spilling and all 7 to 13 % faster than 32 keys, which do not.
      {128, 8, {128, 64, 4, 2, false, 80, "32 rows a warp share each key fragment"}},
      {128,
       20,
       {128, 32, 4, 2, false, 0, "32 rows a warp share each key fragment; registers have no room for 64 keys"}},
      {128, 64, {64, 64, 4, 2, false, 0, "16 rows a warp leave registers for the bias"}},
      {192, 40, {64, 64, 4, 2, false, 0, "16 rows a warp: the output of 32 rows does not fit registers"}},
      {256, 6, {64, 64, 4, 1, false, 16, "16 rows a warp: the output of 32 rows does not fit registers"}},
      {256, 40, {64, 48, 4, 1, false, 0, "16 rows a warp; registers or shared memory have no room for 64 keys"}},
      {256, 40, {64, 32, 4, 1, false, 0, "16 rows a warp; registers or shared memory have no room for 48 keys"}},
      {256, 200, {64, 16, 4, 1, false, 0, "16 rows a warp; registers or shared memory have no room for 32 keys"}},
  }};
  return table;
}

/// Registers a thread that the bias takes while the keys pass by.
int registers_of(const AttentionConfig& config, const Tile& tile, const BiasProgram& program) {
  constexpr int kFactorAddresses = 8;
  constexpr int kTableAddress = 4;
  constexpr int kPairRows = 32;
  const int row_slots = tile.block_q / (8 * tile.warps);
  int count = row_slots * static_cast<int>(hoist(program).row.size());
  count += kFactorAddresses * static_cast<int>(program.factors.size());
  count += kTableAddress * static_cast<int>(shared_tables(program).size());
  for (const InputSpec& input : collect_inputs(config.bias, config.dtype))
    count += input.kind == Op::pair_input ? kPairRows : 0;
  return count;
}

}  // namespace

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

Tile choose_tile(const AttentionConfig& config, const BiasProgram& program) {
  const int limit = shared_bytes_limit(config.arch);
  const int head_dim = std::max(config.head_dim, config.head_dim_v);
  for (const Candidate& candidate : candidates())
    if (head_dim <= candidate.max_head_dim &&
        registers_of(config, candidate.tile, program) <= candidate.spare_registers &&
        shared_bytes(config, candidate.tile, program) <= limit)
      return candidate.tile;
  throw Error(ErrorCode::invalid_config,
              "bias: needs " + std::to_string(shared_bytes(config, candidates().back().tile, program)) +
                  " bytes of shared memory a thread block, more than the " + std::to_string(limit) + " of " +
                  to_string(config.arch) +
                  ", or more registers than a thread has; use a smaller rank or table, or fewer terms");
}

}  // namespace flashbias::codegen
