#pragma once

#include <string_view>
#include <vector>

namespace flashbias::emulator {

struct Token {
  std::string_view text;  ///< a name with its dots, a number, or one character of punctuation
  int line = 0;
};

/// The tokens of PTX without comments.
[[nodiscard]] std::vector<Token> tokenize(std::string_view ptx);

}  // namespace flashbias::emulator
