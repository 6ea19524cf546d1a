#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "codegen/parser.hpp"

namespace flashbias::codegen {

class Arguments;

/// A function of the text form.
struct Function {
  std::string_view name;
  std::string_view parameters;  ///< as the documentation writes them; optional ones in brackets
  Expr (*build)(Arguments& arguments);
};

[[nodiscard]] std::span<const Function> functions();

/// Reads the arguments of a call, after its `(`, in order.
class Arguments {
 public:
  Arguments(Parser& parser, const Function& function) : parser_(parser), function_(function) {}

  [[nodiscard]] Expr expression();
  [[nodiscard]] std::string name();
  [[nodiscard]] int integer();
  [[nodiscard]] int integer(int absent);
  [[nodiscard]] double real();
  [[nodiscard]] std::optional<DType> dtype(std::optional<DType> absent);
  /// Which of the words it is.
  [[nodiscard]] std::size_t choice(std::span<const std::string_view> words, std::size_t absent);
  /// Takes the `)`.
  void close();

 private:
  [[nodiscard]] bool more() const;
  void next();
  Token word(std::string_view expected);
  [[noreturn]] void fail(std::string_view expected) const;

  Parser& parser_;
  const Function& function_;
  bool first_ = true;
};

}  // namespace flashbias::codegen
