#pragma once

#include <optional>
#include <string>

#include "flashbias/bias.hpp"

namespace flashbias::codegen {

/// Keys [first, end) outside which a query sees none. The ends are integer expressions of q_index and of what a thread
/// block has in common, rising or falling with q_index, so that a block of queries sees what its first and its last one
/// see. Whatever the inputs hold, they lie within +-2^30 or so, and 32 bits hold their differences.
struct KeyRange {
  std::optional<Expr> first{};  ///< absent: 0
  std::optional<Expr> end{};    ///< absent: kv_length
  bool exact = true;            ///< every key in it is seen, too
  bool all_or_none = false;     ///< whatever the query

  [[nodiscard]] bool is_bounded() const { return first || end; }
};

/// What is known where nothing is.
[[nodiscard]] inline KeyRange unknown_keys() { return {.exact = false}; }

/// Narrows the range to what is in the other one, too. False, and no change, where the ends would not be as they must.
[[nodiscard]] bool narrow(KeyRange& range, const KeyRange& by);

/// The least range known to hold both.
[[nodiscard]] KeyRange hull(const KeyRange& a, const KeyRange& b);

/// Whether no query sees a key behind its own position.
[[nodiscard]] bool is_causal(const KeyRange& range);

/// `[q_index() - 3, kv_length())`.
[[nodiscard]] std::string to_string(const KeyRange& range);

}  // namespace flashbias::codegen
