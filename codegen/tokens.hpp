#pragma once

#include <cstddef>
#include <string_view>

#include "codegen/text_error.hpp"

namespace flashbias::codegen {

struct Token {
  enum class Kind { number, name, symbol, end };
  Kind kind = Kind::end;
  std::string_view text;
  std::size_t offset = 0;

  [[nodiscard]] bool is(std::string_view symbol) const { return kind == Kind::symbol && text == symbol; }
};

/// The words of an expression's text, one ahead.
class Tokens {
 public:
  /// The text must outlive the tokens.
  explicit Tokens(std::string_view text) : text_(text) { take(); }

  [[nodiscard]] const Token& peek() const { return next_; }
  Token take();
  /// Takes the symbol if it is next.
  bool accept(std::string_view symbol);

  [[noreturn]] void fail(const Token& at, std::string_view message) const { fail(at, ErrorCode::parse, message); }
  [[noreturn]] void fail(const Token& at, ErrorCode code, std::string_view message) const;
  /// What `make` returns; an error it throws without a place in the text gets that of the token.
  template <typename Make>
  auto at(const Token& token, Make make) const {
    try {
      return make();
    } catch (const TextError&) {
      throw;
    } catch (const Error& error) {
      fail(token, error.code(), error.what());
    }
  }

 private:
  [[nodiscard]] Token read() const;

  std::string_view text_;
  std::size_t position_ = 0;
  Token next_;
};

/// `'abs'`, or `the end`.
[[nodiscard]] std::string describe(const Token& token);

}  // namespace flashbias::codegen
