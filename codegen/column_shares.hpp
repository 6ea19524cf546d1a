#pragma once

#include "flashbias/plan.hpp"

namespace flashbias::codegen {

/// How the columns of what keys add to a tile of queries are shared out (templates/backward/column_shares.cuh).
struct ColumnShares {
  int count = 1;  ///< one of all columns, or in the loop for Hopper two
  int strip = 8;  ///< of shared memory: where the second share of many columns may begin

  [[nodiscard]] constexpr int columns_of_share(int columns) const {
    const auto round_up = [](int value, int multiple) { return (value + multiple - 1) / multiple * multiple; };
    const int part = round_up(columns, 8 * count) / count;
    return count > 1 && part > strip / 2 ? round_up(part, strip) : part;
  }
  /// Of the sums: those that pad shares included.
  [[nodiscard]] constexpr int columns_of_sums(int columns) const { return count * columns_of_share(columns); }
};

inline constexpr int kStripOfHopper = 64;

[[nodiscard]] constexpr ColumnShares hopper_shares(bool by_tiles) {
  return {.count = by_tiles ? 1 : 2, .strip = kStripOfHopper};
}

/// Of a plan whose keys add to queries.
[[nodiscard]] ColumnShares column_shares(const KernelPlan& plan);

}  // namespace flashbias::codegen
