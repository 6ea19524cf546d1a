#include "codegen/excerpt.hpp"

#include <doctest/doctest.h>

using namespace std::string_view_literals;

namespace flashbias::codegen {

TEST_CASE("a character is a UTF-8 sequence, or a byte that starts none") {
  CHECK(character_length("") == 0);
  CHECK(character_length("ab") == 1);
  CHECK(character_length("\u00e9!") == 2);
  CHECK(character_length("\u2212!") == 3);
  CHECK(character_length("\U0001f600!") == 4);
  for (const std::string_view bad : {"\x80", "\xff", "\xc3", "\xc3(", "\xe2\x88", "\xe2\x88(", "\xf0\x9f\x98"})
    CHECK(character_length(bad) == 1);
  // Longer than needed, a surrogate, beyond Unicode.
  for (const std::string_view bad :
       {"\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf0\x80\x80\x80", "\xf4\x90\x80\x80"})
    CHECK(character_length(bad) == 1);
  CHECK(count_characters("a\u2212\xff\u00e9") == 4);
}

TEST_CASE("what a terminal cannot show is spelt out") {
  CHECK(printable("a + \u2212b") == "a + \u2212b");
  CHECK(printable("a\tb\r\n") == "a b  ");
  CHECK(printable("a\0b"sv) == "a\\x00b");
  CHECK(printable("\x1b[31m\x7f") == "\\x1b[31m\\x7f");
  CHECK(printable("\xff\u0085") == "\\xff\\xc2\\x85");
}

TEST_CASE("an excerpt is cut between characters") {
  CHECK(excerpt("abcd", 4) == "abcd");
  CHECK(excerpt("abcde", 4) == "abcd...");
  CHECK(excerpt("abc\u2212", 4) == "abc...");
  CHECK(excerpt("\u2212\u2212", 4) == "\u2212...");
}

}  // namespace flashbias::codegen
