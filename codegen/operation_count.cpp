#include "codegen/operation_count.hpp"

#include "codegen/rewrite.hpp"

namespace flashbias::codegen {
namespace {

int own_cost(Op op) {
  switch (op) {
    case Op::multiply:  // one instruction with the sum that it is part of
    case Op::absolute:  // modifiers of operands
    case Op::negate:
      return 0;
    case Op::table:
    case Op::exp:
    case Op::log:
    case Op::sin:
    case Op::cos:
    case Op::sqrt:
    case Op::divide:
    case Op::remainder:
      return 8;
    case Op::atan2:  // a division and a polynomial
      return 24;
    default:
      return 1;
  }
}

}  // namespace

int operation_count(const Expr& expr) {
  if (!dependence(expr).mixed()) return 0;  // computed ahead
  int count = own_cost(expr.op());
  for (const Expr& arg : expr.node().args) count += operation_count(arg);
  return count;
}

}  // namespace flashbias::codegen
