#include "codegen/canonical_sum.hpp"

#include <optional>

#include "codegen/rewrite.hpp"

namespace flashbias::codegen {

void CanonicalSum::add(const Expr& addend) {
  if (!is_zero(addend)) addends_.emplace(to_string(addend), addend);
}

Expr CanonicalSum::total() const {
  std::optional<Expr> sum;
  for (const auto& [text, addend] : addends_) sum = sum ? *sum + addend : addend;
  return sum.value_or(Expr());
}

}  // namespace flashbias::codegen
