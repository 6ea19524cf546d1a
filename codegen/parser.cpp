#include "codegen/parser.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <system_error>
#include <vector>

#include "codegen/excerpt.hpp"
#include "codegen/functions.hpp"

namespace flashbias {
namespace codegen {
namespace {

struct BinaryOperator {
  std::string_view symbol;
  Precedence precedence;
  Expr (*build)(const Expr&, const Expr&);
};

/// All group from the left.
constexpr std::array kBinaryOperators{
    BinaryOperator{"||", Precedence::logical_or, [](const Expr& a, const Expr& b) { return a || b; }},
    BinaryOperator{"&&", Precedence::logical_and, [](const Expr& a, const Expr& b) { return a && b; }},
    BinaryOperator{"==", Precedence::equality, [](const Expr& a, const Expr& b) { return a == b; }},
    BinaryOperator{"!=", Precedence::equality, [](const Expr& a, const Expr& b) { return a != b; }},
    BinaryOperator{"<", Precedence::relation, [](const Expr& a, const Expr& b) { return a < b; }},
    BinaryOperator{"<=", Precedence::relation, [](const Expr& a, const Expr& b) { return a <= b; }},
    BinaryOperator{">", Precedence::relation, [](const Expr& a, const Expr& b) { return a > b; }},
    BinaryOperator{">=", Precedence::relation, [](const Expr& a, const Expr& b) { return a >= b; }},
    BinaryOperator{"+", Precedence::sum, [](const Expr& a, const Expr& b) { return a + b; }},
    BinaryOperator{"-", Precedence::sum, [](const Expr& a, const Expr& b) { return a - b; }},
    BinaryOperator{"*", Precedence::product, [](const Expr& a, const Expr& b) { return a * b; }},
    BinaryOperator{"/", Precedence::product, [](const Expr& a, const Expr& b) { return a / b; }},
    BinaryOperator{"%", Precedence::product, [](const Expr& a, const Expr& b) { return a % b; }},
};

const BinaryOperator* binary_operator(const Token& token) {
  const auto* found = std::ranges::find_if(kBinaryOperators, [&](const auto& each) { return token.is(each.symbol); });
  return found == kBinaryOperators.end() ? nullptr : found;
}

constexpr std::array<std::string_view, 3> kConstants{"infinity", "true", "false"};

std::vector<std::string_view> known_names() {
  std::vector<std::string_view> names(kConstants.begin(), kConstants.end());
  for (const Function& function : functions()) names.push_back(function.name);
  return names;
}

template <typename Number>
bool read(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

Parser::Parser(std::string_view text) : tokens_(text) {
  if (text.size() <= kMaxTextBytes) return;
  throw TextError(ErrorCode::parse, text, kMaxTextBytes,
                  fmt::format("the text of a bias has {} bytes; at most {} are accepted", text.size(), kMaxTextBytes));
}

Expr Parser::whole() {
  Expr result = expression();
  const Token& rest = tokens_.peek();
  if (rest.kind != Token::Kind::end) {
    tokens_.fail(rest, fmt::format("expected an operator or the end, not {}", describe(rest)));
  }
  return result;
}

Expr Parser::expression(Precedence at_least) {
  Expr left = unary();
  while (true) {
    const BinaryOperator* const infix = binary_operator(tokens_.peek());
    if (infix == nullptr || infix->precedence < at_least) return left;
    const Token symbol = tokens_.take();
    const Expr right = expression(above(infix->precedence));
    left = tokens_.at(symbol, [&] { return infix->build(left, right); });
  }
}

Expr Parser::unary() {
  if (++nesting_ > kMaxTextNesting) {
    tokens_.fail(tokens_.peek(), fmt::format("nested more than {} levels deep; move what is inside into an input, or "
                                             "leave out parentheses that group nothing",
                                             kMaxTextNesting));
  }
  Expr result = [&] {
    const Token symbol = tokens_.peek();
    if (tokens_.accept("-")) {
      if (tokens_.peek().kind == Token::Kind::number) return number(/*negative=*/true);
      const Expr operand = unary();
      return tokens_.at(symbol, [&] { return -operand; });
    }
    if (tokens_.accept("!")) {
      const Expr operand = unary();
      return tokens_.at(symbol, [&] { return !operand; });
    }
    return postfix();
  }();
  --nesting_;
  return result;
}

Expr Parser::postfix() {
  Expr result = primary();
  while (tokens_.peek().is("[") || tokens_.peek().is(".")) {
    result = tokens_.peek().is("[") ? component(result) : declared_range(result);
  }
  return result;
}

Expr Parser::component(const Expr& vector) {
  const Token bracket = tokens_.take();
  const Token index = tokens_.peek();
  int number = 0;
  if (!read(index.text, number)) {
    tokens_.fail(index, fmt::format("expected the number of a component, not {}", describe(index)));
  }
  tokens_.take();
  if (!tokens_.accept("]")) tokens_.fail(tokens_.peek(), "expected ']'");
  return tokens_.at(bracket, [&] { return vector[number]; });
}

Expr Parser::declared_range(const Expr& expr) {
  tokens_.take();
  const Token range = tokens_.peek();
  static constexpr Function kRange{"range", "[input, ]low, high", nullptr};
  if (range.text != kRange.name) tokens_.fail(range, fmt::format("expected 'range', not {}", describe(range)));
  count_operand(range);  // each copies the bias that it is declared of
  tokens_.take();
  Arguments arguments(*this, kRange);
  if (!tokens_.accept("(")) tokens_.fail(tokens_.peek(), "expected '(' and bounds, as in x.range(-1, 1)");
  return tokens_.at(range, [&] {
    const bool names_input = tokens_.peek().kind == Token::Kind::name && tokens_.peek().text != "infinity";
    const std::string input = names_input ? arguments.name() : "";
    const double low = arguments.real();
    const double high = arguments.real();
    arguments.close();
    return names_input ? expr.range(input, low, high) : expr.range(low, high);
  });
}

Expr Parser::primary() {
  const Token token = tokens_.peek();
  if (token.kind == Token::Kind::number) return number(/*negative=*/false);
  if (token.kind == Token::Kind::name) {
    count_operand(token);
    tokens_.take();
    return tokens_.accept("(") ? call(token) : constant(token);
  }
  if (!tokens_.accept("(")) tokens_.fail(token, fmt::format("expected an expression, not {}", describe(token)));
  Expr inner = expression();
  if (!tokens_.accept(")")) {
    tokens_.fail(tokens_.peek(), fmt::format("expected an operator or ')', not {}", describe(tokens_.peek())));
  }
  return inner;
}

Expr Parser::call(const Token& name) {
  const auto known = functions();
  const auto function = std::ranges::find(known, name.text, &Function::name);
  if (function == known.end()) {
    tokens_.fail(name, fmt::format("unknown function {}{}", describe(name), did_you_mean(name.text, known_names())));
  }
  return tokens_.at(name, [&] {
    Arguments arguments(*this, *function);
    Expr result = function->build(arguments);
    arguments.close();
    return result;
  });
}

Expr Parser::constant(const Token& name) {
  if (name.text == "infinity") return bias::infinity();
  if (name.text == "true") return {true};
  if (name.text == "false") return {false};
  const auto function = std::ranges::find(functions(), name.text, &Function::name);
  if (function != functions().end()) {
    tokens_.fail(name, fmt::format("'{0}' is a function; write {0}({1})", name.text, function->parameters));
  }
  tokens_.fail(name, fmt::format("unknown name {}{}", describe(name), did_you_mean(name.text, known_names())));
}

void Parser::count_operand(const Token& token) {
  if (++operands_ <= kMaxNodes) return;
  tokens_.fail(token, ErrorCode::invalid_config,
               fmt::format("more than {} operands; move what they compute into a table or an input", kMaxNodes));
}

Expr Parser::number(bool negative) {
  const Token token = tokens_.take();
  count_operand(token);
  const std::string text = (negative ? "-" : "") + std::string(token.text);
  if (token.text.find_first_of(".eE") == std::string_view::npos) {
    std::int64_t value = 0;
    if (!read(text, value))
      tokens_.fail(token, fmt::format("{} does not fit 64 bits; write it as a real", excerpt(text, kMaxNameLength)));
    return {value};
  }
  double value = 0;
  if (!read(text, value))
    tokens_.fail(token, fmt::format("'{}' is no number that float64 can hold", excerpt(text, kMaxNameLength)));
  return {value};
}

}  // namespace codegen

Expr parse_expr(std::string_view text) { return codegen::Parser(text).whole(); }

}  // namespace flashbias
