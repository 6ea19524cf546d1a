#include "codegen/addends.hpp"

#include "codegen/rewrite.hpp"

namespace flashbias::codegen {

void collect_addends(const Expr& expr, bool negative, std::vector<Addend>& addends) {
  switch (expr.op()) {
    case Op::add:
    case Op::subtract:
      collect_addends(expr.arg(0), negative, addends);
      collect_addends(expr.arg(1), negative != (expr.op() == Op::subtract), addends);
      return;
    case Op::negate:
      collect_addends(expr.arg(0), !negative, addends);
      return;
    default:
      if (!is_zero(expr)) addends.push_back({.expr = expr, .negative = negative});
  }
}

}  // namespace flashbias::codegen
