#include "codegen/tokens.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "codegen/characters.hpp"
#include "codegen/excerpt.hpp"
#include "flashbias/limits.hpp"

namespace flashbias::codegen {
namespace {

/// Longer ones first: `<=` is not `<`.
constexpr std::array<std::string_view, 20> kSymbols{"||", "&&", "==", "!=", "<=", ">=", "<", ">", "+", "-",
                                                    "*",  "/",  "%",  "!",  "(",  ")",  "[", "]", ",", "."};

/// Length of the longest start of `text` whose characters all satisfy the predicate.
template <typename Predicate>
std::size_t prefix_length(std::string_view text, Predicate predicate) {
  return static_cast<std::size_t>(std::ranges::find_if_not(text, predicate) - text.begin());
}

/// Length of the digits, point and exponent that `text` starts with.
std::size_t number_length(std::string_view text) {
  std::size_t length = prefix_length(text, is_digit);
  const auto ahead_is_one_of = [&](std::string_view characters) {
    return length < text.size() && characters.find(text[length]) != std::string_view::npos;
  };
  if (ahead_is_one_of(".")) {
    ++length;
    length += prefix_length(text.substr(length), is_digit);
  }
  if (ahead_is_one_of("eE")) {
    ++length;
    if (ahead_is_one_of("+-")) ++length;
    length += prefix_length(text.substr(length), is_digit);
  }
  return length;
}

}  // namespace

Token Tokens::read() const {
  const std::string_view rest = text_.substr(position_);
  const auto token = [&](Token::Kind kind, std::size_t length) {
    return Token{.kind = kind, .text = rest.substr(0, length), .offset = position_};
  };
  if (rest.empty()) return token(Token::Kind::end, 0);
  if (is_digit(rest[0]) || (rest[0] == '.' && rest.size() > 1 && is_digit(rest[1]))) {
    return token(Token::Kind::number, number_length(rest));
  }
  if (is_letter(rest[0])) {
    return token(Token::Kind::name, prefix_length(rest, is_letter_or_digit));
  }
  for (const std::string_view symbol : kSymbols) {
    if (rest.starts_with(symbol)) return token(Token::Kind::symbol, symbol.size());
  }
  const Token unknown = token(Token::Kind::symbol, character_length(rest));
  fail(unknown, fmt::format("unexpected character {}", describe(unknown)));
}

Token Tokens::take() {
  Token taken = next_;
  position_ += prefix_length(text_.substr(position_), is_space);
  next_ = read();
  position_ += next_.text.size();
  return taken;
}

bool Tokens::accept(std::string_view symbol) {
  const bool found = next_.is(symbol);
  if (found) take();
  return found;
}

void Tokens::fail(const Token& at, ErrorCode code, std::string_view message) const {
  throw TextError(code, text_, at.offset, message);
}

std::string describe(const Token& token) {
  return token.kind == Token::Kind::end ? "the end" : fmt::format("'{}'", excerpt(token.text, kMaxNameLength));
}

}  // namespace flashbias::codegen
