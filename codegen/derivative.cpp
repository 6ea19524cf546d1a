#include "codegen/derivative.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <string_view>
#include <utility>

#include "codegen/excerpt.hpp"
#include "codegen/inputs.hpp"
#include "codegen/rewrite.hpp"
#include "codegen/simplify.hpp"
#include "codegen/tidy_arithmetic.hpp"
#include "flashbias/error.hpp"

namespace flashbias::codegen {
namespace {

/// The bias language has no literals of vectors, so vectors are differentiated by component.
class Differentiator {
 public:
  /// Whether this component of what an input expression reads is the variable.
  using IsVariable = std::function<bool(const ExprNode& input, int component)>;

  explicit Differentiator(IsVariable is_variable) : is_variable_(std::move(is_variable)) {}

  /// The derivative of a component of an expression; a scalar stands for each component.
  Expr operator()(const Expr& expr, int component = 0) {
    if (expr.type().scalar != ScalarType::real) return 0.0;
    const std::pair key(&expr.node(), expr.type().dims == 1 ? 0 : component);
    if (const auto known = known_.find(key); known != known_.end()) return known->second;
    Expr result = is_input(expr.op()) ? Expr(is_variable_(expr.node(), key.second) ? 1.0 : 0.0)
                                      : derivative_of_operation(expr, key.second);
    known_.emplace(key, result);
    return result;
  }

 private:
  Expr derivative_of_operation(const Expr& expr, int component) {
    const auto value = [&](std::size_t index) { return component_of(expr.arg(index), component); };
    const auto change = [&](std::size_t index) { return (*this)(expr.arg(index), component); };
    switch (expr.op()) {
      case Op::named:
        return change(0);
      case Op::component:
        return (*this)(expr.arg(0), static_cast<int>(expr.node().integer));
      case Op::negate:
        return tidy_negation(change(0));
      case Op::add:
        return tidy_sum(change(0), change(1));
      case Op::subtract:
        return tidy_sum(change(0), tidy_negation(change(1)));
      case Op::multiply:
        return of_product(value(0), change(0), value(1), change(1));
      case Op::divide: {
        // Not -a / (b * b), which leaves the range of f32 where this does not.
        const Expr of_divisor = tidy_quotient(tidy_product(component_of(expr, component), change(1)), value(1));
        return tidy_sum(tidy_quotient(change(0), value(1)), tidy_negation(of_divisor));
      }
      case Op::minimum:
        return of_choice(value(1) < value(0), change(0), value(0) < value(1), change(1), value(0) == value(1));
      case Op::maximum:
        return of_choice(value(0) < value(1), change(0), value(1) < value(0), change(1), value(0) == value(1));
      case Op::absolute: {
        const Expr signed_change = tidy_product(change(0), select(value(0) < 0.0, -1.0, 1.0));
        return tidy_select(value(0) == 0.0, 0.0, signed_change);
      }
      case Op::sqrt:
        return tidy_quotient(tidy_product(0.5, change(0)), component_of(expr, component));
      case Op::exp:
        return tidy_product(change(0), component_of(expr, component));
      case Op::log:
        return tidy_quotient(change(0), value(0));
      case Op::sin:
        return tidy_product(change(0), cos(value(0)));
      case Op::cos:
        return tidy_negation(tidy_product(change(0), sin(value(0))));
      case Op::atan2: {
        const Expr turned =
            tidy_sum(tidy_product(change(0), value(1)), tidy_negation(tidy_product(change(1), value(0))));
        return tidy_quotient(turned, value(0) * value(0) + value(1) * value(1));
      }
      case Op::select:
        return tidy_select(expr.arg(0), change(1), change(2));
      case Op::dot:
        return of_dot(expr.arg(0), expr.arg(1));
      default:
        return 0.0;
    }
  }

  static Expr of_product(const Expr& a, const Expr& change_of_a, const Expr& b, const Expr& change_of_b) {
    return tidy_sum(tidy_product(change_of_a, b), tidy_product(a, change_of_b));
  }

  /// Of min or max: what loses does not count, and equals share. Each change is written once, so that nested choices
  /// stay short.
  static Expr of_choice(const Expr& a_loses, const Expr& change_of_a, const Expr& b_loses, const Expr& change_of_b,
                        const Expr& tie) {
    if (equal(change_of_a, change_of_b)) return change_of_a;
    const Expr share = select(tie, 0.5, 1.0);
    return tidy_sum(tidy_select(a_loses, 0.0, tidy_product(change_of_a, share)),
                    tidy_select(b_loses, 0.0, tidy_product(change_of_b, share)));
  }

  Expr of_dot(const Expr& a, const Expr& b) {
    Expr sum;
    for (int c = 0; c < a.type().dims; ++c) {
      const Expr change_of_a = (*this)(a, c);
      const Expr change_of_b = (*this)(b, c);
      if (is_zero(change_of_a) && is_zero(change_of_b)) continue;
      sum = tidy_sum(sum, of_product(component_of(a, c), change_of_a, component_of(b, c), change_of_b));
    }
    return sum;
  }

  IsVariable is_variable_;
  std::map<std::pair<const ExprNode*, int>, Expr> known_;
};

std::string_view kind_name(Op kind) {
  switch (kind) {
    case Op::head_scalar:
      return "head scalar";
    case Op::query_input:
      return "query input";
    case Op::key_input:
      return "key input";
    case Op::pair_input:
      return "pair input";
    default:
      return "table";
  }
}

std::string quoted(const std::vector<std::string>& names) {
  if (names.empty()) return "none";
  std::string text;
  for (const std::string& name : names) text += fmt::format("{}'{}'", text.empty() ? "" : ", ", name);
  return text;
}

[[noreturn]] void reject_derivative(const std::string& message) { throw Error(ErrorCode::invalid_config, message); }

/// Stands for that of q, which is real whichever it is.
constexpr DType kDTypeOfQ = DType::f16;

/// The table whose index an input is part of.
std::string table_indexed_by(const Expr& value, const std::string& name) {
  std::string table;
  (void)any_node(value, [&](const ExprNode& node) {
    const auto is_asked = [&](const ExprNode& inner) { return is_input(inner.op) && inner.name == name; };
    if (node.op != Op::table || !any_node(node.args[0], is_asked)) return false;
    table = node.name;
    return true;
  });
  return table;
}

/// Runs what builds a derivative; where that exceeds the bounds of an expression, the error says of what.
template <class Build>
auto within_limits(const std::string& name, Build&& build) {
  try {
    return std::forward<Build>(build)();
  } catch (const Error& error) {
    throw Error(error.code(),
                fmt::format("the derivative of the bias with respect to '{}' is too long: {}", name, error.what()));
  }
}

}  // namespace

InputSpec differentiable_input(const Expr& value, const std::string& name, DType dtype_of_q) {
  if (value.type().dims != 1 || value.type().scalar == ScalarType::boolean) {
    reject_derivative(fmt::format("the derivative of `{}` ({}) is asked for; it is taken of one number a score",
                                  excerpt(to_string(value)), to_string(value.type())));
  }
  const std::vector<InputSpec> inputs = collect_inputs(value, dtype_of_q);
  const auto found = std::ranges::find(inputs, name, &InputSpec::name);
  if (found == inputs.end()) {
    std::vector<std::string> names;
    for (const InputSpec& input : inputs) names.push_back(input.name);
    reject_derivative(fmt::format("a gradient is asked of '{}', which the bias `{}` does not read; its inputs: {}",
                                  excerpt(name), excerpt(to_string(value)), quoted(names)));
  }
  if (!is_real(found->dtype)) {
    const std::string table = table_indexed_by(value, name);
    const std::string of_index = table.empty() ? "" : fmt::format(" in the index of table '{}'", table);
    reject_derivative(fmt::format(
        "a gradient is asked of '{}', a {} of dtype {}{}; gradients exist for real inputs only: {}. Ask "
        "for those, or give '{}' a real dtype",
        name, kind_name(found->kind), to_string(found->dtype), of_index, quoted(differentiable_inputs(value)), name));
  }
  return *found;
}

Expr derivative(const Expr& value, const InputComponent& with_respect_to) {
  const std::string& name = with_respect_to.name;
  const int component = with_respect_to.component;
  const InputSpec input = differentiable_input(value, name, kDTypeOfQ);
  if (input.kind == Op::table) {
    reject_derivative(
        fmt::format("'{}' is a table, whose reads have a derivative each; ask table_reads for them", name));
  }
  if (component < 0 || component >= input.dims) {
    reject_derivative(fmt::format("component {} of the {} '{}' is asked for; its components are numbered 0 to {}",
                                  component, kind_name(input.kind), name, input.dims - 1));
  }
  return within_limits(name, [&] {
    const auto is_variable = [&](const ExprNode& node, int c) { return node.name == name && c == component; };
    return Differentiator(is_variable)(value);
  });
}

std::vector<TableRead> table_reads(const Expr& value, const std::string& table) {
  const InputSpec input = differentiable_input(value, table, kDTypeOfQ);
  if (input.kind != Op::table) {
    reject_derivative(
        fmt::format("'{}' is a {}, not a table; ask derivative for its gradient", table, kind_name(input.kind)));
  }
  std::vector<Expr> indices;
  (void)any_node(value, [&](const ExprNode& node) {
    const bool reads = node.op == Op::table && node.name == table;
    const auto is_known = [&](const Expr& index) { return equal(index, node.args[0]); };
    if (reads && std::ranges::none_of(indices, is_known)) indices.push_back(node.args[0]);
    return false;
  });
  return within_limits(table, [&] {
    std::vector<TableRead> reads;
    for (const Expr& index : indices) {
      const auto is_variable = [&](const ExprNode& node, int) {
        return node.op == Op::table && node.name == table && equal(node.args[0], index);
      };
      const Expr coefficient = Differentiator(is_variable)(value);
      if (!is_zero(coefficient)) reads.push_back({.coefficient = coefficient, .index = index});
    }
    return reads;
  });
}

std::vector<std::string> differentiable_inputs(const Expr& value) {
  std::vector<std::string> names;
  for (const InputSpec& input : collect_inputs(value, kDTypeOfQ)) {
    if (is_real(input.dtype)) names.push_back(input.name);
  }
  return names;
}

}  // namespace flashbias::codegen
