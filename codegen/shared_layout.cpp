#include "codegen/shared_layout.hpp"

#include <algorithm>
#include <functional>

#include "codegen/cuda_expression.hpp"

namespace flashbias::codegen {
namespace {

int round_up(int value, int multiple) { return (value + multiple - 1) / multiple * multiple; }

/// Members laid out one after the other, as C++ does.
class Layout {
 public:
  void add(int bytes, int alignment) {
    size_ = round_up(size_, alignment) + bytes;
    alignment_ = std::max(alignment_, alignment);
  }
  void add(const Layout& nested) { add(nested.size(), nested.alignment_); }
  /// An empty struct has one byte.
  [[nodiscard]] int size() const { return std::max(1, round_up(size_, alignment_)); }

 private:
  int size_ = 0;
  int alignment_ = 1;
};

/// SharedTile of templates/tile.cuh: rows padded to whole tensor-core steps and by one 16-byte chunk.
int tile_bytes(int rows, int columns) { return rows * (round_up(columns, 16) + 8) * 2; }

constexpr int kSwizzledTileAlignment = 1024;
constexpr int kPairStripBytes = 128;  ///< of a row of templates/hopper/pair_tiles.cuh
constexpr int kBarrierBytes = 8;
constexpr int kRingBytes = 2 * kBarrierBytes;  ///< a slot

/// What its alignment adds to a SwizzledTile included.
int swizzled_tile_bytes(int rows, int columns, int strip) {
  return round_up(rows * round_up(columns, strip) * 2, kSwizzledTileAlignment);
}
int swizzled_tile_bytes(int rows, int columns) { return swizzled_tile_bytes(rows, columns, strip_columns(columns)); }

/// What the bias keeps behind its factors, of `stages` tiles of keys.
Layout bias_layout(const Tile& tile, int stages, const BiasProgram& program, Layout layout) {
  if (const int words = key_term_words(program); words > 0) layout.add(stages * words * tile.block_k * 4, 8);
  if (program.has_diagonal()) layout.add(stages * (tile.block_q + tile.block_k - 1) * 4, 4);
  for (const SharedTable& table : shared_tables(program)) layout.add(table.entries * 4, 4);
  return layout;
}

/// What belongs to columns of a backward pass: shifts of queries, keys that they do not see, terms of queries; shifts
/// and terms of keys. And to diagonals, which cross a tile of so many rows.
void add_columns(Layout& layout, int stages, const Tile& tile, int rows, const BackwardBias& bias) {
  constexpr int kShiftsOfQuery = 2;
  constexpr int kShiftsOfKey = 1;
  for (const int words : {kShiftsOfQuery, bias.hidden_words(), bias.query_words(), kShiftsOfKey, bias.key_words()})
    layout.add(stages * std::max(1, 4 * words * tile.block_q), words > 0 ? 8 : 1);
  const int diagonals = bias.has_diagonal() ? rows + tile.block_q - 1 : 0;
  layout.add(stages * std::max(1, 4 * diagonals), diagonals > 0 ? 4 : 1);
}

/// What thread blocks of a backward pass add up by entries of tables (templates/backward/diagonal_addends.cuh and
/// walked_addends.cuh).
void add_score_gradients(Layout& layout, const Tile& tile, const BackwardBias& bias) {
  constexpr int kColumnsBeside = 8;
  const int words_of_warp =
      bias.rows_of_addends() * (tile.columns_at_once + kColumnsBeside) + bias.words_beside_addends();
  const int addends = 4 * tile.warps * words_of_warp;
  const int bytes = addends + 4 * bias.table_entries();
  layout.add(addends > 0 ? round_up(bytes, 8) : std::max(1, bytes), addends > 0 ? 8 : bytes > 0 ? 4 : 1);
}

}  // namespace

int swizzled_columns(int columns) { return round_up(columns, strip_columns(columns)); }

int strip_columns(int columns) { return columns <= 16 ? 16 : columns <= 32 ? 32 : 64; }

PlaceOfOnes place_of_ones(int head_dim_v) {
  switch (round_up(head_dim_v, 16)) {
    case 16:
    case 32:
    case 64:
      return PlaceOfOnes::behind_values;
    case 128:
    case 192:
      return PlaceOfOnes::behind_last_strip;
    default:
      return PlaceOfOnes::apart;
  }
}

std::vector<SharedTable> shared_tables(const BiasProgram& program) {
  std::vector<SharedTable> tables;
  const std::function<void(const Expr&)> visit = [&](const Expr& e) {
    if (e.op() == Op::named) return;
    const int entries = static_cast<int>(e.node().integer);
    const auto same = [&](const SharedTable& table) { return table.name == e.node().name; };
    if (e.op() == Op::table && entries <= kMaxSharedTableEntries && std::ranges::none_of(tables, same))
      tables.push_back({e.node().name, entries});
    for (const Expr& arg : e.node().args) visit(arg);
  };
  visit(program.hoisted.score);
  return tables;
}

int key_term_words(const BiasProgram& program) {
  return static_cast<int>(program.hoisted.key.size()) + (program.has_key_column() ? 1 : 0);
}

int shared_bytes(const AttentionConfig& config, const Tile& tile, const BiasProgram& program) {
  Layout layout;
  layout.add(tile_bytes(tile.block_q, std::max(config.head_dim, config.head_dim_v)), 16);
  layout.add(tile_bytes(tile.block_k, config.head_dim), 16);
  layout.add(tile_bytes(tile.block_k, config.head_dim_v), 16);
  Layout factors;
  for (const FactorTerm& term : program.factors) {
    const int parts = term.dtype == DType::f32 ? 3 : 1;
    factors.add(parts * tile_bytes(tile.block_q, term.rank), 16);
    factors.add(parts * tile_bytes(tile.block_k, term.rank), 16);
  }
  if (program.split_factors) {
    factors.add(tile_bytes(tile.block_q, program.split_factors->columns()), 16);
    factors.add(tile_bytes(tile.block_k, program.split_factors->columns()), 16);
  }
  layout.add(bias_layout(tile, 2, program, factors));
  return layout.size();
}

int hopper_shared_bytes(const AttentionConfig& config, const Tile& tile, const BiasProgram& program) {
  Layout layout;
  const int queries = swizzled_tile_bytes(tile.block_q, config.head_dim);
  const int output = tile_bytes(tile.block_q, config.head_dim_v);
  layout.add(tile.output_over_queries ? std::max(queries, output) : queries + output, kSwizzledTileAlignment);
  for (const int head_dim : {config.head_dim, config.head_dim_v})
    for (int stage = 0; stage < tile.stages; ++stage)
      layout.add(swizzled_tile_bytes(tile.block_k, head_dim), kSwizzledTileAlignment);
  if (place_of_ones(config.head_dim_v) == PlaceOfOnes::apart)
    layout.add(256, 128);
  else
    layout.add(swizzled_tile_bytes(16, strip_columns(config.head_dim_v)), kSwizzledTileAlignment);
  layout.add(kRingBytes * (1 + 3 * tile.stages), 8);
  Layout factors;
  const auto add_factors = [&](int columns) {
    Layout tiles;
    tiles.add(swizzled_tile_bytes(tile.block_q, columns), kSwizzledTileAlignment);
    for (int stage = 0; stage < tile.stages; ++stage)
      tiles.add(swizzled_tile_bytes(tile.block_k, columns), kSwizzledTileAlignment);
    factors.add(tiles);
  };
  for (const FactorTerm& term : program.factors) add_factors(term.rank);
  if (program.split_factors) add_factors(program.split_factors->columns());
  if (program.has_slope_alone())
    factors.add(swizzled_tile_bytes(8, 16) + swizzled_tile_bytes(tile.block_k, 16), kSwizzledTileAlignment);
  if (tile.pair_tiles)
    for (const InputSpec& input : pair_inputs(config, program))
      factors.add(tile.stages * tile.block_q * round_up(tile.block_k * size_of(input.dtype), kPairStripBytes),
                  kSwizzledTileAlignment);
  layout.add(bias_layout(tile, tile.stages, program, factors));
  return layout.size();
}

int backward_shared_bytes(const AttentionConfig& config, const Tile& tile, const BackwardBias& bias,
                          bool adds_to_queries) {
  Layout layout;
  const auto add_tokens = [&](int rows) {
    Layout tokens;
    for (const int head_dim : {config.head_dim, config.head_dim_v}) tokens.add(tile_bytes(rows, head_dim), 16);
    Layout factors;
    for (const FactorTerm& term : bias.factor_terms()) factors.add(tile_bytes(rows, term.rank), 16);
    tokens.add(factors);
    layout.add(tokens);
  };
  add_tokens(tile.block_k);
  for (int stage = 0; stage < tile.stages; ++stage) add_tokens(tile.block_q);
  const int tiles_of_scores = tile.rows_a_warp * tile.warps > tile.block_k ? 2 : 1;
  layout.add(adds_to_queries ? tiles_of_scores * tile_bytes(tile.block_k, tile.block_q) : 1, adds_to_queries ? 16 : 1);
  add_columns(layout, tile.stages, tile, tile.block_k, bias);
  add_score_gradients(layout, tile, bias);
  return layout.size();
}

int hopper_backward_shared_bytes(const AttentionConfig& config, const Tile& tile, const BackwardBias& bias,
                                 const BackwardPass& pass) {
  constexpr int kRowsOfWarpgroup = 64;
  const int warpgroups = 16 * tile.warps / kRowsOfWarpgroup;
  Layout tokens;
  for (const int head_dim : {config.head_dim, config.head_dim_v})
    tokens.add(swizzled_tile_bytes(tile.block_q, head_dim), kSwizzledTileAlignment);
  for (const FactorTerm& term : bias.factor_terms()) {
    const int strip = strip_columns(pass.joins_factors ? config.head_dim : term.rank);
    tokens.add(swizzled_tile_bytes(tile.block_q, term.rank, strip), kSwizzledTileAlignment);
  }
  Layout layout;
  for (int i = 0; i < warpgroups + tile.stages; ++i) layout.add(tokens);
  if (pass.adds_to_queries) {
    constexpr int kGroups = 2;
    const int tiles = kGroups * (pass.adds_by_tiles ? warpgroups : 1) * warpgroups;
    Layout exchange;
    exchange.add(tiles * swizzled_tile_bytes(tile.block_k, tile.block_q), kSwizzledTileAlignment);
    exchange.add(kGroups * kBarrierBytes, 8);
    layout.add(exchange);
  } else {
    layout.add(1, 1);
  }
  add_columns(layout, tile.stages, tile, warpgroups * kRowsOfWarpgroup, bias);
  layout.add(kRingBytes * (1 + tile.stages), 8);
  add_score_gradients(layout, tile, bias);
  return layout.size();
}

}  // namespace flashbias::codegen
