#include "runtime/flat_bias.hpp"

#include <fmt/format.h>

#include <string>
#include <unordered_map>

#include "codegen/inputs.hpp"
#include "flashbias/error.hpp"

namespace flashbias::runtime {
namespace {

bool reads_key(Op op) { return op == Op::kv_index || op == Op::key_input || op == Op::pair_input; }

struct StructuralHash {
  std::size_t operator()(const Expr& expr) const { return expr.node().hash; }
};
struct StructuralEqual {
  bool operator()(const Expr& a, const Expr& b) const { return equal(a, b); }
};

}  // namespace

const TensorView& find_input(const reference::Inputs& inputs, std::string_view name) {
  const auto found = inputs.find(name);
  if (found != inputs.end()) return found->second;
  std::string given;
  for (const auto& [other, tensor] : inputs) given += fmt::format("{}'{}'", given.empty() ? "" : ", ", other);
  throw Error(ErrorCode::invalid_argument,
              fmt::format("bias input '{}' is missing; given: {}", name, given.empty() ? "none" : given));
}

/// Lays the nodes of an expression out in the order of their evaluation, operands first.
class FlatBias::Builder {
 public:
  Builder(FlatBias& bias, const BindInput& bind) : bias_(bias), bind_(bind) {}

  struct Value {
    std::size_t first = 0;  ///< index of its first component
    bool reads_key = false;
  };

  Value add(const Expr& expr) {
    if (const auto known = values_.find(expr); known != values_.end()) return known->second;
    const Value value = add_new(expr);
    values_.emplace(expr, value);
    return value;
  }

 private:
  Value add_new(const Expr& expr) {
    const ExprNode& node = expr.node();
    // These only name what is there already.
    if (node.op == Op::named) return add(node.args[0]);
    if (node.op == Op::component) {
      Value value = add(node.args[0]);
      value.first += static_cast<std::size_t>(node.integer);
      return value;
    }
    Instruction instruction{.op = node.op,
                            .operand = node.type.scalar,
                            .dims = static_cast<std::size_t>(node.type.dims),
                            .integer = node.integer,
                            .real = node.real};
    bool reads = reads_key(node.op);
    for (std::size_t i = 0; i < node.args.size(); ++i) {
      const Value arg = add(node.args[i]);
      instruction.args[i] = arg.first;
      instruction.steps[i] = node.args[i].type().dims > 1 ? 1 : 0;
      reads = reads || arg.reads_key;
    }
    // A comparison's result is a boolean, a selection's first operand is one: neither tells integers from reals.
    if (!node.args.empty() && node.op != Op::select) {
      instruction.operand = node.args[0].type().scalar;
      instruction.operand_dims = static_cast<std::size_t>(node.args[0].type().dims);
    }
    if (codegen::is_input(node.op)) {
      instruction.operand = node.type.scalar;
      instruction.input = bind_(expr);
    }
    instruction.result = bias_.num_values_;
    bias_.num_values_ += instruction.dims;
    (reads ? bias_.per_score_ : bias_.per_row_).push_back(instruction);
    return {.first = instruction.result, .reads_key = reads};
  }

  FlatBias& bias_;
  const BindInput& bind_;
  std::unordered_map<Expr, Value, StructuralHash, StructuralEqual> values_;
};

FlatBias::FlatBias(std::span<const Expr> exprs, const BindInput& bind) {
  Builder builder(*this, bind);
  for (const Expr& expr : exprs) results_.push_back({.index = builder.add(expr).first, .type = expr.type().scalar});
}

}  // namespace flashbias::runtime
