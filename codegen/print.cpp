#include "codegen/print.hpp"

#include <fmt/compile.h>
#include <fmt/format.h>

#include <cmath>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>

#include "codegen/precedence.hpp"
#include "flashbias/bias.hpp"

namespace flashbias {
namespace {

using codegen::Precedence;

/// A binary operator as it is written; != is the negation of ==.
struct Infix {
  std::string_view symbol;
  Precedence precedence;
};

bool is_not_equal(const Expr& expr) { return expr.op() == Op::logical_not && expr.arg(0).op() == Op::equal; }

std::optional<Infix> infix(const Expr& expr) {
  switch (expr.op()) {
    case Op::logical_or:
      return Infix{"||", Precedence::logical_or};
    case Op::logical_and:
      return Infix{"&&", Precedence::logical_and};
    case Op::equal:
      return Infix{"==", Precedence::equality};
    case Op::logical_not:
      return is_not_equal(expr) ? std::optional(Infix{"!=", Precedence::equality}) : std::nullopt;
    case Op::less:
      return Infix{"<", Precedence::relation};
    case Op::less_equal:
      return Infix{"<=", Precedence::relation};
    case Op::add:
      return Infix{"+", Precedence::sum};
    case Op::subtract:
      return Infix{"-", Precedence::sum};
    case Op::multiply:
      return Infix{"*", Precedence::product};
    case Op::divide:
      return Infix{"/", Precedence::product};
    case Op::remainder:
      return Infix{"%", Precedence::product};
    default:
      return std::nullopt;
  }
}

std::string_view function_name(Op op) {
  switch (op) {
    case Op::q_index:
      return "q_index";
    case Op::kv_index:
      return "kv_index";
    case Op::q_length:
      return "q_length";
    case Op::kv_length:
      return "kv_length";
    case Op::head:
      return "head";
    case Op::batch:
      return "batch";
    case Op::head_scalar:
      return "head_scalar";
    case Op::query_input:
      return "query_input";
    case Op::key_input:
      return "key_input";
    case Op::pair_input:
      return "pair_input";
    case Op::table:
      return "table";
    case Op::minimum:
      return "min";
    case Op::maximum:
      return "max";
    case Op::absolute:
      return "abs";
    case Op::sqrt:
      return "sqrt";
    case Op::exp:
      return "exp";
    case Op::log:
      return "log";
    case Op::sin:
      return "sin";
    case Op::cos:
      return "cos";
    case Op::atan2:
      return "atan2";
    case Op::to_real:
      return "real";
    case Op::select:
      return "select";
    case Op::dot:
      return "dot";
    default:
      return {};
  }
}

bool is_negative_literal(const ExprNode& node) {
  return (node.op == Op::real_literal && std::signbit(node.real)) ||
         (node.op == Op::integer_literal && node.integer < 0);
}

Precedence precedence(const Expr& expr) {
  if (const auto written = infix(expr)) return written->precedence;
  switch (expr.op()) {
    case Op::negate:
    case Op::logical_not:
      return Precedence::unary;
    case Op::component:
      return Precedence::postfix;
    default:
      return is_negative_literal(expr.node()) ? Precedence::unary : Precedence::primary;
  }
}

/// The integer under a conversion that building `operand` beside a real would insert by itself.
const Expr& as_typed(const Expr& operand, bool beside_real) {
  const bool converts_integer = operand.op() == Op::to_real && operand.arg(0).type().scalar == ScalarType::integer;
  return converts_integer && beside_real ? operand.arg(0) : operand;
}

bool is_real_as_typed(const Expr& expr) { return expr.type().scalar == ScalarType::real && expr.op() != Op::to_real; }

class Printer {
 public:
  std::string text;
  const ExprNode* wanted = nullptr;
  std::size_t offset_of_wanted = std::string::npos;

  void print(const Expr& expr, Precedence at_least) {
    const bool parentheses = precedence(expr) < at_least;
    if (parentheses) text += '(';
    print(expr);
    if (parentheses) text += ')';
  }

 private:
  void print(const Expr& expr) {
    const ExprNode& node = expr.node();
    if (&node == wanted) offset_of_wanted = text.size();
    switch (node.op) {
      case Op::boolean_literal:
        text += node.integer != 0 ? "true" : "false";
        return;
      case Op::integer_literal:
        number(node.integer);
        return;
      case Op::real_literal:
        real_literal(node.real);
        return;
      case Op::named:
        named(node);
        return;
      case Op::component:
        print(node.args[0], Precedence::postfix);
        text += '[';
        number(node.integer);
        text += ']';
        return;
      case Op::negate:
        prefix('-', node.args[0]);
        return;
      default:
        break;
    }
    if (const auto written = infix(expr)) {
      binary(*written, is_not_equal(expr) ? node.args[0].node() : node);
    } else if (node.op == Op::logical_not) {
      prefix('!', node.args[0]);
    } else {
      call(node);
    }
  }

  void named(const ExprNode& node) {
    if (!node.approximated) {
      text += node.name;
      return;
    }
    const std::string_view name = node.name;
    const std::string_view function = name.substr(0, name.find('.'));
    text += function;
    text += '(';
    print(*node.approximated);
    append(", {}", node.integer);
    if (node.dtype) append(", {}", to_string(*node.dtype));
    text += ')';
    text += name.substr(function.size());  // declared ranges
  }

  void prefix(char symbol, const Expr& operand) {
    text += symbol;
    const std::size_t start = text.size();
    print(operand, Precedence::unary);
    if (symbol == '-' && text[start] == '-') {  // --x would read as a decrement
      text.insert(start, 1, '(');
      text += ')';
    }
  }

  void binary(const Infix& written, const ExprNode& node) {
    const Expr& a = node.args[0];
    const Expr& b = node.args[1];
    print(as_typed(a, is_real_as_typed(b)), written.precedence);
    text += ' ';
    text += written.symbol;
    text += ' ';
    if (&node == wanted) offset_of_wanted = text.size();
    print(as_typed(b, is_real_as_typed(a)), above(written.precedence));
  }

  void call(const ExprNode& node) {
    text += function_name(node.op);
    text += '(';
    switch (node.op) {
      case Op::head_scalar:
      case Op::query_input:
      case Op::key_input:
      case Op::pair_input:
      case Op::table:
        input(node);
        break;
      default:
        arguments(node);
    }
    text += ')';
    if (node.range) append(".range({}, {})", node.range->low, node.range->high);
  }

  void input(const ExprNode& node) {
    const std::optional<DType> usual = node.op == Op::pair_input ? std::nullopt : std::optional(DType::f32);
    const bool has_dims = node.op == Op::query_input || node.op == Op::key_input;
    text += node.name;
    if (has_dims && (node.type.dims != 1 || node.dtype != usual)) append(", {}", node.type.dims);
    if (node.op == Op::table) {
      append(", {}, ", node.integer);
      print(node.args[0]);
    }
    if (node.dtype != usual) append(", {}", node.dtype ? to_string(*node.dtype) : "like_q");
  }

  void arguments(const ExprNode& node) {
    const std::size_t first_number = node.op == Op::select ? 1 : 0;
    const auto beside_real = [&](std::size_t index) {
      if (node.op == Op::to_real) return false;
      if (node.args.size() == first_number + 1) return node.op != Op::absolute;
      return is_real_as_typed(node.args[2 * first_number + 1 - index]);
    };
    for (std::size_t index = 0; index < node.args.size(); ++index) {
      if (index > 0) text += ", ";
      print(index < first_number ? node.args[index] : as_typed(node.args[index], beside_real(index)));
    }
  }

  void real_literal(double value) {
    if (std::isinf(value)) {
      text += value < 0 ? "-infinity" : "infinity";
      return;
    }
    const std::size_t start = text.size();
    fmt::format_to(std::back_inserter(text), FMT_COMPILE("{}"), value);
    if (text.find_first_of(".e", start) == std::string::npos) text += ".0";
  }

  /// Printing makes most of the keys that passes sort by, so that it goes without a format where it can.
  void number(std::int64_t value) { text += fmt::format_int(value).c_str(); }

  template <typename... Args>
  void append(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(text), format, std::forward<Args>(args)...);
  }
};

}  // namespace

namespace codegen {

std::size_t offset_in_text(const Expr& expr, const ExprNode& node) {
  Printer printer;
  printer.wanted = &node;
  printer.print(expr, Precedence::logical_or);
  return printer.offset_of_wanted;
}

}  // namespace codegen

std::string to_string(const Expr& expr) {
  if (equal(expr, Expr())) return "none()";
  Printer printer;
  printer.print(expr, Precedence::logical_or);
  return std::move(printer.text);
}

}  // namespace flashbias
