#pragma once

#include <string>
#include <vector>

#include "codegen/backward_sides.hpp"
#include "flashbias/bias.hpp"

namespace flashbias::codegen {

/// A value computed ahead and kept under a name: `value0` of the head's, the row's or the key's terms.
struct HoistedValue {
  std::string name;
  Expr meaning;
};

/// The bias of a score with all that can be computed less often taken out of it.
struct HoistedScore {
  std::vector<HoistedValue> head;  ///< once a thread block
  std::vector<HoistedValue> row;   ///< once a query row
  std::vector<HoistedValue> key;   ///< once a key and tile
  Expr score;                      ///< of computed values `head.value0`, `row.value0`, `key.value0`
  Expr key_column;                 ///< likewise, of head values
  Expr diagonal;                   ///< likewise
  std::vector<Expr> key_factors;   ///< likewise
};

struct BiasProgram;

/// Different values of the key that a score reads.
[[nodiscard]] int count_key_values(const Expr& score);

/// What can be computed less often in the program's score, key column, diagonal and key factors.
[[nodiscard]] HoistedScore hoist(const BiasProgram& program);

/// Several values of a score, and what is computed once a query or key, that share what is computed ahead.
struct HoistedScores {
  std::vector<HoistedValue> head, row, key;  ///< as of HoistedScore
  BiasSides bias;                            ///< its sides of head values
  std::vector<Expr> values;                  ///< in their order
};

[[nodiscard]] HoistedScores hoist(const BiasSides& bias, const std::vector<Expr>& values);

}  // namespace flashbias::codegen
