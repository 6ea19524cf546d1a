#pragma once

#include <string>
#include <string_view>

namespace flashbias {

/// How the work of a kernel is cut, where a config forces it instead of leaving it to the planner.
struct TileShape {
  int block_q = 128;                  ///< query rows a thread block: a multiple of 16 a warp
  int block_k = 64;                   ///< keys a step: a multiple of 16, at most the threads of a block
  int warps = 4;                      ///< 1 to 16
  int blocks_per_multiprocessor = 1;  ///< that registers must leave room for
  bool query_in_registers = false;    ///< read once, instead of from shared memory at each step
  friend bool operator==(const TileShape&, const TileShape&) = default;
};

/// `128x64,4,2,r`: queries, keys, warps, blocks a multiprocessor, and r where the queries stay in registers.
[[nodiscard]] std::string to_string(const TileShape& shape);
/// Accepts what to_string gives. Throws Error(parse) that tells the form.
[[nodiscard]] TileShape parse_tile_shape(std::string_view text);
/// Throws Error(invalid_config) that names the number and what is accepted.
void validate_tile(const TileShape& shape);

}  // namespace flashbias
