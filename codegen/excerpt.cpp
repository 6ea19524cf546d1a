#include "codegen/excerpt.hpp"

#include <fmt/format.h>

#include <iterator>

#include "codegen/characters.hpp"

namespace flashbias::codegen {
namespace {

constexpr unsigned char byte_at(std::string_view text, std::size_t index) {
  return static_cast<unsigned char>(text[index]);
}

/// What the first byte of a UTF-8 sequence promises: its length, and bounds on the second byte that rule out longer
/// forms than needed, surrogates and what lies beyond Unicode.
struct Lead {
  std::size_t length;
  unsigned char second_low = 0x80;
  unsigned char second_high = 0xbf;
};

constexpr Lead lead(unsigned char first) {
  if (first >= 0xc2 && first <= 0xdf) return {.length = 2};
  if (first == 0xe0) return {.length = 3, .second_low = 0xa0};
  if (first == 0xed) return {.length = 3, .second_high = 0x9f};
  if (first >= 0xe1 && first <= 0xef) return {.length = 3};
  if (first == 0xf0) return {.length = 4, .second_low = 0x90};
  if (first == 0xf4) return {.length = 4, .second_high = 0x8f};
  if (first >= 0xf1 && first <= 0xf3) return {.length = 4};
  return {.length = 1};
}

bool is_printable(std::string_view character) {
  const unsigned char first = byte_at(character, 0);
  if (character.size() == 1) return first >= 0x20 && first < 0x7f;
  return first != 0xc2 || byte_at(character, 1) >= 0xa0;  // below are the control characters of Latin-1
}

}  // namespace

std::size_t character_length(std::string_view text) {
  if (text.empty()) return 0;
  const Lead expected = lead(byte_at(text, 0));
  if (expected.length == 1 || text.size() < expected.length) return 1;
  if (byte_at(text, 1) < expected.second_low || byte_at(text, 1) > expected.second_high) return 1;
  for (std::size_t i = 2; i < expected.length; ++i) {
    if (byte_at(text, i) < 0x80 || byte_at(text, i) > 0xbf) return 1;
  }
  return expected.length;
}

std::size_t count_characters(std::string_view text) {
  std::size_t count = 0;
  for (; !text.empty(); ++count) text.remove_prefix(character_length(text));
  return count;
}

std::string printable(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const std::string_view character = text.substr(0, character_length(text));
    if (is_space(character[0])) {
      result += ' ';
    } else if (is_printable(character)) {
      result += character;
    } else {
      for (const char byte : character)
        fmt::format_to(std::back_inserter(result), "\\x{:02x}", static_cast<unsigned char>(byte));
    }
    text.remove_prefix(character.size());
  }
  return result;
}

std::string excerpt(std::string_view text, std::size_t most) {
  if (text.size() <= most) return printable(text);
  std::size_t end = 0;
  while (end + character_length(text.substr(end)) <= most) end += character_length(text.substr(end));
  return printable(text.substr(0, end)) + "...";
}

}  // namespace flashbias::codegen
