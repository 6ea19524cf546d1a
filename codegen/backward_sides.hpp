#pragma once

#include "flashbias/bias.hpp"

namespace flashbias::codegen {

/// A bias as query + key + diagonal + score, of which the first three are computed less often than once a score. Query
/// and key count keys from kv_origin(), any key nearby: so that numbers stay small where they matter.
struct BiasSides {
  Expr query;
  Expr key;
  Expr diagonal;  ///< constant on diagonals
  Expr score;     ///< what is left for each score
};

/// Of a bias that is simplified.
[[nodiscard]] BiasSides split_sides(const Expr& bias);

}  // namespace flashbias::codegen
