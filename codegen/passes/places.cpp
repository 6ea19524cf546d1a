#include <algorithm>
#include <utility>

#include "codegen/passes/passes.hpp"
#include "codegen/softmax_scale.hpp"

namespace flashbias::codegen {

void order_sums(BiasForm& form) {
  BiasProgram& program = form.program;
  program.row_offset = std::exchange(form.row_offset, {}).total();
  program.kv_slope = std::exchange(form.kv_slope, {}).total();
  program.key_column = std::exchange(form.key_column, {}).total();
  program.diagonal = std::exchange(form.diagonal, {}).total();
  program.score = std::exchange(form.score, {}).total();
  std::ranges::sort(program.factors, {}, &FactorTerm::q_input);
}

void measure_in_scale(BiasForm& form) {
  BiasProgram& program = form.program;
  if (!program.factors.empty()) return;
  for (Expr* part : {&program.kv_slope, &program.key_column, &program.diagonal, &program.score})
    *part = in_units_of_scale(*part);
  if (!program.split_factors) return;
  for (Separation::Factor& factor : program.split_factors->factors) factor.query = in_units_of_scale(factor.query);
}

void hoist_values(BiasForm& form) { form.program.hoisted = hoist(form.program); }

}  // namespace flashbias::codegen
