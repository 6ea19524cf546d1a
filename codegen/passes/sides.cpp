#include <vector>

#include "codegen/operand_order.hpp"
#include "codegen/passes/passes.hpp"
#include "codegen/passes/placement.hpp"
#include "codegen/rewrite.hpp"

namespace flashbias::codegen {
namespace {

/// Moves the addends that `belongs` says to a place.
template <class Belongs>
void move_addends(BiasForm& form, CanonicalSum& place, Belongs belongs) {
  std::erase_if(form.addends, [&](const Addend& addend) {
    if (!belongs(addend.expr)) return false;
    place.add(with_ordered_operands(write_out_dots(addend.expr)));
    explain_side(addend, form);
    return true;
  });
}

}  // namespace

void drop_query_terms(BiasForm& form) {
  move_addends(form, form.row_offset, [](const Expr& value) { return dependence(value).query_only(); });
}

void split_off_key_terms(BiasForm& form) {
  move_addends(form, form.key_column,
               [](const Expr& value) { return dependence(value).key_only() && !is_linear_in_keys(value); });
}

}  // namespace flashbias::codegen
