#pragma once

#include <string>
#include <vector>

#include "flashbias/bias.hpp"
#include "flashbias/plan.hpp"

/// Derivatives of a bias with respect to what it reads, as expressions of the bias language.
///
/// Where a function has a corner, they are those of PyTorch: abs has 0 at 0; equal operands of max and min share
/// evenly. sqrt and log at 0 give what their formulas give, infinity. Conditions, indices and integers have no
/// derivative; a select differentiates its branches, so what it does not choose does not count, infinite or not.
///
/// At a score that a mask hides, one where the bias is -infinity, the derivative means nothing and may be NaN:
/// `select(c, 0.0, -infinity) * x` has the derivative -infinity there. Whoever adds up gradients leaves such scores
/// out.
///
/// Everything here throws Error(invalid_config) where the bias reads no such input, where it has no gradient because it
/// holds integers, and where what is asked for becomes longer than an expression may be (limits.hpp).
namespace flashbias::codegen {

/// A number that an input holds for a token, a head or a score.
struct InputComponent {
  std::string name{};
  int component = 0;  ///< of a query or key input of several dims; 0 otherwise
};

/// d value / d x for a head scalar, a pair input, or a component of a query or key input; uses of the same input add
/// up. `value` is one number a score. Of a table every read has its own: see table_reads.
[[nodiscard]] Expr derivative(const Expr& value, const InputComponent& with_respect_to);

/// A place where a table is read.
struct TableRead {
  Expr coefficient;  ///< d value / d (the entry read), real
  Expr index;        ///< the entry, an integer that is yet to be clamped to the table
};

/// Where `value` reads a table, in the order of its text, reads at equal indices as one; those that do not change it
/// are left out. The gradient of entry t is the sum over scores of dS * coefficient * [clamp(index, 0, entries - 1) ==
/// t].
[[nodiscard]] std::vector<TableRead> table_reads(const Expr& value, const std::string& table);

/// The input of that name, of which a gradient may be asked; one of no dtype of its own has `dtype_of_q`.
[[nodiscard]] InputSpec differentiable_input(const Expr& value, const std::string& name, DType dtype_of_q);

/// Names of the inputs that hold real numbers, tables among them, in the order in which the bias reads them. Those that
/// only conditions read are among them: their gradients are zeros.
[[nodiscard]] std::vector<std::string> differentiable_inputs(const Expr& value);

}  // namespace flashbias::codegen
