#pragma once

#include <cstdint>
#include <string_view>

namespace flashbias {

/// How a term of the bias is executed.
enum class Lowering : std::uint8_t {
  dropped,     ///< depends on the query alone: softmax ignores it (once a row, for the log-sum-exp)
  mask,        ///< hides keys outside a range that is known ahead: tiles outside it are skipped
  key_column,  ///< depends on the key alone: one number a key, computed once a tile
  diagonal,    ///< depends on i - j alone: one number a diagonal of the tile, in shared memory
  factors,     ///< a sum of products of query and key terms: more tensor-core steps into the scores
  table,       ///< table in shared memory at an index (query part + key part)
  registers,   ///< evaluated for each score
  dense,       ///< one number a score read from memory
};

/// `key column`.
[[nodiscard]] std::string_view to_string(Lowering lowering) noexcept;
/// Accepts what to_string gives, with `_` for the space. Throws Error(parse) naming the text and the accepted names.
[[nodiscard]] Lowering parse_lowering(std::string_view text);

}  // namespace flashbias
