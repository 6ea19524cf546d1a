#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "flashbias/bias.hpp"
#include "flashbias/reference.hpp"
#include "flashbias/tensor.hpp"
#include "runtime/bias_tensors.hpp"

namespace flashbias::runtime {

/// A component of a value: real, or integer (booleans are 0 and 1), as its expression's type says.
union Scalar {
  double real;
  std::int64_t integer;
};

/// An input of the bias and where its numbers lie.
struct BoundInput {
  TensorView tensor;
  BiasStrides strides;
};

/// Finds the tensor of an input (an expression whose op is head_scalar, query_input, ...), or throws.
using BindInput = std::function<BoundInput(const Expr& input)>;

/// The tensor of that name. Throws Error(invalid_argument) naming the inputs that there are.
[[nodiscard]] const TensorView& find_input(const reference::Inputs& inputs, std::string_view name);

/// One node of an expression; its operands are computed before it.
struct Instruction {
  Op op = Op::real_literal;
  ScalarType operand = ScalarType::real;  ///< of args[0], or of the result where there is none
  std::size_t dims = 1;                   ///< components of the result
  std::size_t operand_dims = 1;           ///< components of args[0]
  std::size_t result = 0;                 ///< index of the result's first component among the values
  std::array<std::size_t, 3> args{};      ///< likewise of the operands
  std::array<std::size_t, 3> steps{};     ///< 1 for a vector, 0 for a scalar
  std::int64_t integer = 0;
  double real = 0;
  BoundInput input{};
};

/// Scalar expressions, a bias or what belongs to one, flattened for evaluation at many scores, each shared node once.
/// Immutable; many BiasEvaluators may run it at a time.
class FlatBias {
 public:
  FlatBias(const Expr& expr, const BindInput& bind) : FlatBias(std::span(&expr, 1), bind) {}
  FlatBias(std::span<const Expr> exprs, const BindInput& bind);

 private:
  struct Result {
    std::size_t index = 0;  ///< among the values
    ScalarType type = ScalarType::real;
  };
  class Builder;
  friend class BiasEvaluator;

  std::vector<Instruction> per_row_;    ///< what is the same for every key of a row
  std::vector<Instruction> per_score_;  ///< what is not
  std::size_t num_values_ = 0;
  std::vector<Result> results_;  ///< in the order of the expressions
};

/// Evaluates a flat bias: row by row, key by key.
class BiasEvaluator {
 public:
  explicit BiasEvaluator(const FlatBias& bias) : bias_(bias), values_(bias.num_values_) {}

  /// Moves to a query row; kv_index of the point is ignored.
  void set_row(const reference::Point& row);
  /// Moves to a key of the row.
  void set_key(std::int64_t kv_index);
  /// Value of one of the expressions there.
  [[nodiscard]] double result(std::size_t expr = 0) const;
  /// Value of the first expression at a key of the row.
  [[nodiscard]] double at(std::int64_t kv_index) {
    set_key(kv_index);
    return result();
  }

 private:
  void execute(const Instruction& instruction);
  void load(const Instruction& instruction);

  const FlatBias& bias_;
  std::vector<Scalar> values_;
  std::vector<double> loaded_;
  reference::Point point_;
};

}  // namespace flashbias::runtime
