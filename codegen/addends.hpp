#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "codegen/term_lowering.hpp"
#include "flashbias/bias.hpp"

namespace flashbias::codegen {

/// An addend of a bias.
struct Addend {
  Expr expr;
  bool negative = false;
  bool behind_mask = false;                ///< what a mask left of an addend as typed
  bool is_joined = false;                  ///< of several terms
  std::vector<std::size_t> terms{};        ///< of the plan, whose fate is this addend's
  std::optional<TermAnalysis> analysis{};  ///< where a pass has needed it

  [[nodiscard]] Expr value() const { return negative ? -expr : expr; }
};

/// Appends the addends of a sum, but for those that are 0. A named bias counts as one addend.
void collect_addends(const Expr& expr, bool negative, std::vector<Addend>& addends);

}  // namespace flashbias::codegen
