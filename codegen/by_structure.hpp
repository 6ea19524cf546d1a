#pragma once

#include <cstddef>

#include "flashbias/bias.hpp"

namespace flashbias::codegen {

/// Hash and equality of unordered containers, for expressions that are equal as typed.
struct ByStructure {
  std::size_t operator()(const Expr& expr) const { return expr.node().hash; }
  bool operator()(const Expr& a, const Expr& b) const { return equal(a, b); }
};

}  // namespace flashbias::codegen
