#include "codegen/cuda_expression.hpp"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <unordered_map>
#include <vector>

#include "codegen/by_structure.hpp"
#include "codegen/index_algebra.hpp"
#include "codegen/rewrite.hpp"
#include "flashbias/error.hpp"

namespace flashbias::codegen {
namespace {

/// How tightly an operator binds, for the fewest parentheses.
enum Precedence : int { kOr = 1, kAnd, kEquality, kRelation, kSum, kProduct, kUnary, kPrimary };

struct Text {
  std::string text;
  int precedence = kPrimary;
};

bool is_leaf(const Expr& e) { return e.node().args.empty() || e.op() == Op::named || e.op() == Op::component; }

std::string integer_text(std::int64_t value) {
  if (value > std::numeric_limits<std::int32_t>::max() || value <= std::numeric_limits<std::int32_t>::min())
    throw Error(ErrorCode::invalid_config,
                fmt::format("bias: the integer {} does not fit the 32 bits that kernels compute indices in", value));
  return std::to_string(value);
}

Text real_text(double value) {
  if (std::isinf(value)) return value > 0 ? Text{"kInfinity"} : Text{"-kInfinity", kUnary};
  if (std::isnan(value)) return {"(kInfinity - kInfinity)"};
  std::string text = fmt::format("{}", static_cast<float>(value));
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return {text + "f", value < 0 ? kUnary : kPrimary};
}

class Writer {
 public:
  explicit Writer(const CudaScope& scope) : scope_(scope) {}

  CudaExpressions write(std::span<const Expr> exprs) {
    for (const Expr& expr : exprs) count_uses(expr);
    std::vector<std::string> values;
    for (const Expr& expr : exprs) values.push_back(text_of(expr).text);
    return {std::move(statements_), std::move(values)};
  }

 private:
  void count_uses(const Expr& e) {
    if (++uses_[e] > 1 || is_leaf(e)) return;
    for (const Expr& arg : e.node().args) count_uses(arg);
  }

  Text text_of(const Expr& e) {
    if (is_leaf(e) || uses_[e] < 2) return written_out(e);
    if (const auto found = temporaries_.find(e); found != temporaries_.end()) return {found->second};
    const std::string value = written_out(e).text;
    const std::string name = fmt::format("t{}", temporaries_.size());
    statements_ += fmt::format("const {} {} = {};\n", cuda_type(e), name, value);
    temporaries_.emplace(e, name);
    return {name};
  }

  /// The operand, in parentheses where it binds less tightly than `precedence`.
  std::string operand(const Expr& e, int precedence) {
    const Text text = text_of(e);
    return text.precedence < precedence ? "(" + text.text + ")" : text.text;
  }

  Text binary(const Expr& e, const char* symbol, int precedence) {
    return {operand(e.arg(0), precedence) + " " + symbol + " " + operand(e.arg(1), precedence + 1), precedence};
  }

  Text call(const Expr& e, const char* function) {
    std::string arguments;
    for (const Expr& arg : e.node().args) arguments += (arguments.empty() ? "" : ", ") + text_of(arg).text;
    return {fmt::format("{}({})", function, arguments)};
  }

  Text real_or_integer_call(const Expr& e, const char* real, const char* integer) {
    return call(e, e.type().scalar == ScalarType::real ? real : integer);
  }

  static Text input(const Expr& e, const std::string& row, std::int64_t column) {
    return {fmt::format("p.{}_input.at(block.batch, block.head, {}, {})", e.node().name, row, column)};
  }

  Text input_component(const Expr& e, std::int64_t component) {
    switch (e.op()) {
      case Op::head_scalar:
        return input(e, "0", 0);
      case Op::query_input:
        return input(e, scope_.q_index, component);
      default:
        return input(e, scope_.kv_index, component);
    }
  }

  Text table(const Expr& e) {
    const std::int64_t entries = e.node().integer;
    std::string index = text_of(e.arg(0)).text;
    if (!index_stays_inside(e))
      index = fmt::format("min(max({}, 0), {})", index, entries - 1);  // outside indices mean the nearest entry
    if (scope_.tables_in_shared_memory && entries <= kMaxSharedTableEntries)
      return {fmt::format("storage.{}_table[{}]", e.node().name, index)};
    return {fmt::format("p.{}_input.at(block.batch, block.head, 0, {})", e.node().name, index)};
  }

  Text written_out(const Expr& e) {
    switch (e.op()) {
      case Op::boolean_literal:
        return {e.node().integer != 0 ? "true" : "false"};
      case Op::integer_literal:
        return {integer_text(e.node().integer), e.node().integer < 0 ? kUnary : kPrimary};
      case Op::real_literal:
        return real_text(e.node().real);
      case Op::q_index:
        return {scope_.q_index};
      case Op::kv_index:
        return {scope_.kv_index};
      case Op::q_length:
        return {"p.q_length"};
      case Op::kv_length:
        return {"p.kv_length"};
      case Op::head:
        return {"block.head"};
      case Op::batch:
        return {"block.batch"};
      case Op::head_scalar:
      case Op::query_input:
      case Op::key_input:
        return input_component(e, 0);
      case Op::component:
        return input_component(e.arg(0), e.node().integer);
      case Op::pair_input:
        if (scope_.pairs_are_read_ahead) return {e.node().name + "_pair[c]"};
        return {fmt::format("p.{}_input.at(block.batch, block.head, {}, {})", e.node().name, scope_.q_index,
                            scope_.kv_index)};
      case Op::table:
        return table(e);
      case Op::named:
        return {e.node().name};
      default:
        return operation(e);
    }
  }

  Text operation(const Expr& e) {
    switch (e.op()) {
      case Op::negate:
        return {"-" + operand(e.arg(0), kPrimary), kUnary};
      case Op::add:
        return binary(e, "+", kSum);
      case Op::subtract:
        return binary(e, "-", kSum);
      case Op::multiply:
        return binary(e, "*", kProduct);
      case Op::divide:
        return binary(e, "/", kProduct);
      case Op::remainder:
        return binary(e, "%", kProduct);
      case Op::minimum:
        return real_or_integer_call(e, "fminf", "min");
      case Op::maximum:
        return real_or_integer_call(e, "fmaxf", "max");
      case Op::absolute:
        return real_or_integer_call(e, "fabsf", "abs");
      case Op::sqrt:
        return call(e, "sqrtf");
      case Op::exp:
        return call(e, "expf");
      case Op::log:
        return call(e, "logf");
      case Op::sin:
        return call(e, "sinf");
      case Op::cos:
        return call(e, "cosf");
      case Op::atan2:
        return call(e, "arctangent");
      case Op::to_real:
        return call(e, "static_cast<float>");
      case Op::less:
        return binary(e, "<", kRelation);
      case Op::less_equal:
        return binary(e, "<=", kRelation);
      case Op::equal:
        return binary(e, "==", kEquality);
      case Op::logical_and:
        return binary(e, "&&", kAnd);
      case Op::logical_or:
        return binary(e, "||", kOr);
      case Op::logical_not:
        return {"!" + operand(e.arg(0), kUnary), kUnary};
      case Op::select:
        return {fmt::format("({} ? {} : {})", operand(e.arg(0), kOr), operand(e.arg(1), kOr), operand(e.arg(2), kOr))};
      default:
        throw Error(ErrorCode::invalid_config, "bias: " + to_string(e) + " cannot be evaluated in a kernel");
    }
  }

  const CudaScope& scope_;
  std::unordered_map<Expr, int, ByStructure, ByStructure> uses_;
  std::unordered_map<Expr, std::string, ByStructure, ByStructure> temporaries_;
  std::string statements_;
};

}  // namespace

CudaExpression to_cuda(const Expr& expr, const CudaScope& scope) {
  CudaExpressions one = Writer(scope).write({&expr, 1});
  return {std::move(one.statements), std::move(one.values.front())};
}

CudaExpressions to_cuda(std::span<const Expr> exprs, const CudaScope& scope) { return Writer(scope).write(exprs); }

std::string function_includes(const Expr& bias) {
  const auto is_angle = [](const ExprNode& node) { return node.op == Op::atan2; };
  return any_node(bias, is_angle) ? "#include \"arctangent.cuh\"\n" : "";
}

std::string cuda_type(const Expr& expr) {
  switch (expr.type().scalar) {
    case ScalarType::boolean:
      return "bool";
    case ScalarType::integer:
      return "int";
    case ScalarType::real:
      return "float";
  }
  return "float";
}

}  // namespace flashbias::codegen
