#include "flashbias/tile_shape.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <system_error>

#include "codegen/excerpt.hpp"
#include "flashbias/error.hpp"

namespace flashbias {
namespace {

constexpr int kMaxWarps = 16;
constexpr int kMaxBlock = 256;
constexpr int kMaxBlocks = 16;

[[noreturn]] void reject(std::string_view what, int value, std::string_view accepted) {
  throw Error(ErrorCode::invalid_config, fmt::format("tile has {} {}; {}", value, what, accepted));
}

}  // namespace

std::string to_string(const TileShape& shape) {
  return fmt::format("{}x{},{},{}{}", shape.block_q, shape.block_k, shape.warps, shape.blocks_per_multiprocessor,
                     shape.query_in_registers ? ",r" : "");
}

TileShape parse_tile_shape(std::string_view text) {
  TileShape shape;
  const char* next = text.data();
  const char* const end = next + text.size();
  const auto fail = [&] {
    throw Error(ErrorCode::parse,
                fmt::format("'{}' is no tile; the form is QUERIESxKEYS,WARPS,BLOCKS or QUERIESxKEYS,WARPS,BLOCKS,r",
                            codegen::excerpt(text)));
  };
  const std::array numbers{std::pair{&shape.block_q, 'x'}, std::pair{&shape.block_k, ','}, std::pair{&shape.warps, ','},
                           std::pair{&shape.blocks_per_multiprocessor, ','}};
  for (const auto& [number, separator] : numbers) {
    const auto [stop, problem] = std::from_chars(next, end, *number);
    const bool is_last = number == &shape.blocks_per_multiprocessor;
    if (problem != std::errc() || (stop == end ? !is_last : *stop != separator)) fail();
    next = stop == end ? end : stop + 1;
    if (stop != end && is_last && std::string_view(next, end) != "r") fail();
  }
  shape.query_in_registers = next != end;
  return shape;
}

void validate_tile(const TileShape& shape) {
  if (shape.warps < 1 || shape.warps > kMaxWarps) reject("warps", shape.warps, "1 to 16 are accepted");
  const int rows = 16 * shape.warps;
  if (shape.block_q < rows || shape.block_q > kMaxBlock || shape.block_q % rows != 0)
    reject("queries", shape.block_q,
           fmt::format("a multiple of {} (16 for each of its {} warps) up to {} is accepted", rows, shape.warps,
                       kMaxBlock));
  if (shape.block_k < 16 || shape.block_k % 16 != 0 || shape.block_k > 32 * shape.warps || shape.block_k > kMaxBlock)
    reject("keys", shape.block_k,
           fmt::format("a multiple of 16 up to {}, one for each thread, is accepted", 32 * shape.warps));
  if (shape.blocks_per_multiprocessor < 1 || shape.blocks_per_multiprocessor > kMaxBlocks)
    reject("blocks a multiprocessor", shape.blocks_per_multiprocessor, "1 to 16 are accepted");
}

}  // namespace flashbias
