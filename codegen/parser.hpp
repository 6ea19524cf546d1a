#pragma once

#include "codegen/precedence.hpp"
#include "codegen/tokens.hpp"
#include "flashbias/bias.hpp"

namespace flashbias::codegen {

/// Recursive descent over the text form of an expression.
class Parser {
 public:
  explicit Parser(std::string_view text);

  /// The whole text as one expression.
  [[nodiscard]] Expr whole();
  /// The longest expression ahead whose operators bind at least so tightly.
  [[nodiscard]] Expr expression(Precedence at_least = Precedence::logical_or);
  [[nodiscard]] Tokens& tokens() { return tokens_; }

 private:
  Expr unary();
  Expr postfix();
  Expr component(const Expr& vector);
  Expr declared_range(const Expr& expr);
  Expr primary();
  Expr call(const Token& name);
  Expr constant(const Token& name);
  Expr number(bool negative);
  /// Each operand becomes a node: counting them bounds what a text builds before its parts are joined.
  void count_operand(const Token& token);

  Tokens tokens_;
  int nesting_ = 0;
  int operands_ = 0;
};

}  // namespace flashbias::codegen
