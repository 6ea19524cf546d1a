#include "tests/emulator/tokens.hpp"

#include <algorithm>
#include <cctype>
#include <cstddef>

namespace flashbias::emulator {
namespace {

bool is_name(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '$' || c == '%' || c == '.';
}

/// The end of the name or number that begins at `start`; `shared::cta` is one name, `label:` two tokens.
std::size_t end_of_name(std::string_view ptx, std::size_t start) {
  std::size_t end = start;
  while (end < ptx.size()) {
    if (is_name(ptx[end]))
      ++end;
    else if (ptx.substr(end, 2) == "::")
      end += 2;
    else
      break;
  }
  return end;
}

}  // namespace

std::vector<Token> tokenize(std::string_view ptx) {
  std::vector<Token> tokens;
  int line = 1;
  std::size_t at = 0;
  while (at < ptx.size()) {
    const char c = ptx[at];
    if (c == '\n') ++line;
    if (c == '\0' || std::isspace(static_cast<unsigned char>(c)) != 0) {
      ++at;
    } else if (ptx.substr(at, 2) == "//") {
      at = std::min(ptx.find('\n', at), ptx.size());
    } else if (c == '"') {
      const std::size_t end = std::min(ptx.find('"', at + 1), ptx.size() - 1) + 1;
      tokens.push_back({ptx.substr(at, end - at), line});
      at = end;
    } else if (is_name(c) || c == '-') {
      const std::size_t end = end_of_name(ptx, at + 1);
      tokens.push_back({ptx.substr(at, end - at), line});
      at = end;
    } else {
      tokens.push_back({ptx.substr(at, 1), line});
      ++at;
    }
  }
  return tokens;
}

}  // namespace flashbias::emulator
