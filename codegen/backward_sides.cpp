#include "codegen/backward_sides.hpp"

#include <algorithm>
#include <optional>
#include <vector>

#include "codegen/addends.hpp"
#include "codegen/bias_program.hpp"
#include "codegen/index_algebra.hpp"
#include "codegen/operation_count.hpp"
#include "codegen/passes/placement.hpp"
#include "codegen/rewrite.hpp"
#include "codegen/simplify.hpp"

namespace flashbias::codegen {
namespace {

void add(Expr& sum, const Expr& addend) { sum = is_zero(sum) ? addend : sum + addend; }

bool is_worth_a_diagonal(const Expr& value) {
  constexpr int kInstructionsOfRead = 4;  // and of what finds the number once a diagonal
  return constant_on_diagonals(value) && operation_count(value) > kInstructionsOfRead;
}

}  // namespace

BiasSides split_sides(const Expr& bias) {
  BiasSides sides;
  std::vector<Addend> addends;
  collect_addends(bias, false, addends);
  const bool has_diagonal =
      std::ranges::any_of(addends, [](const Addend& addend) { return is_worth_a_diagonal(addend.value()); });
  for (const Addend& addend : addends) {
    const Expr value = addend.value();
    const Dependence varies = dependence(value);
    if (varies.query_only()) {
      add(sides.query, value);
    } else if (is_linear_in_keys(value)) {
      add(sides.query, substitute(strip_names(value), Op::kv_index, kv_origin()));
      add(sides.key, simplify(*kv_slope(value), false) * (bias::kv_index() - kv_origin()));
    } else if (has_diagonal && constant_on_diagonals(value)) {
      add(sides.diagonal, value);
    } else {
      add(varies.key_only() ? sides.key : sides.score, value);
    }
  }
  return sides;
}

}  // namespace flashbias::codegen
