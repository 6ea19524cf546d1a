#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "flashbias/bias.hpp"

/// What can be proved about integer expressions of the indices.
namespace flashbias::codegen {

/// constant + q q_index + kv kv_index + q_length Nq + kv_length Nk + head h + batch b, all integers.
struct LinearForm {
  std::int64_t constant = 0;
  std::int64_t q = 0, kv = 0, q_length = 0, kv_length = 0, head = 0, batch = 0;
  friend bool operator==(const LinearForm&, const LinearForm&) = default;
};

/// The form of an integer expression that is linear in the indices, however it is written.
[[nodiscard]] std::optional<LinearForm> linear_form(const Expr& expr);

enum class Sign : std::uint8_t { unknown, non_negative, non_positive };

/// Sign of an integer expression at every score that a causal mask leaves visible (kv_index <= q_position).
[[nodiscard]] Sign sign_under_causal_mask(const Expr& expr);

/// True where the expression depends on the indices through kv_index - q_index alone and on no per-token input, so that
/// it is constant along the diagonals of the score matrix.
[[nodiscard]] bool constant_on_diagonals(const Expr& expr);

/// U (uniform) of a real expression that is (something of the query) + U * kv_index.
[[nodiscard]] std::optional<Expr> kv_slope(const Expr& expr);

/// An integer expression as the sum of a part without the key and a part without the query.
struct IntegerSplit {
  Expr query;
  Expr key;
};
[[nodiscard]] std::optional<IntegerSplit> split_query_key(const Expr& expr);

/// Positions are below this.
inline constexpr std::int64_t kIndexLimit = std::int64_t{1} << 24;

/// Bounds of an integer expression over all positions.
struct Interval {
  std::int64_t low = 0;
  std::int64_t high = 0;
};
[[nodiscard]] std::optional<Interval> interval(const Expr& expr);

/// Whether the index of a table is proved to be one of its entries.
[[nodiscard]] bool index_stays_inside(const Expr& table);

enum class Monotonicity : std::uint8_t { constant, rising, falling, mixed };

/// How an integer expression changes with q_index, all else the same; mixed where that is not known.
[[nodiscard]] Monotonicity monotonicity_along_queries(const Expr& expr);

}  // namespace flashbias::codegen
