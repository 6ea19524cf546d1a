#include "codegen/text_error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

#include "codegen/excerpt.hpp"
#include "flashbias/limits.hpp"

namespace flashbias::codegen {
namespace {

/// What a message shows of a line on both sides of a place in it.
struct Surroundings {
  std::string before;
  std::string after;
};

Surroundings surroundings(std::string_view line, std::size_t offset) {
  constexpr std::size_t kShown = 80;
  const auto splits_a_character = [&](std::size_t at) {
    return at < line.size() && (static_cast<unsigned char>(line[at]) & 0xc0U) == 0x80;
  };
  std::size_t start = offset - std::min(offset, kShown);
  while (start < offset && splits_a_character(start)) ++start;
  const std::string_view before = line.substr(start, offset - start);
  return {(start > 0 ? "..." : "") + printable(before), excerpt(line.substr(offset), kShown)};
}

std::string pointing(std::string_view text, std::size_t offset, std::string_view message) {
  const std::string_view before = text.substr(0, offset);
  const auto line_number = std::count(before.begin(), before.end(), '\n') + 1;
  const std::size_t newline = before.rfind('\n');
  const std::size_t start = newline == std::string_view::npos ? 0 : newline + 1;
  const std::size_t column = count_characters(text.substr(start, offset - start)) + 1;
  const std::string place = line_number == 1 ? "" : fmt::format("line {}, ", line_number);
  const Surroundings shown = surroundings(text.substr(start, text.find('\n', start) - start), offset - start);
  return fmt::format("{}column {}: {}\n  {}{}\n  {:>{}}", place, column, message, shown.before, shown.after, '^',
                     count_characters(shown.before) + 1);
}

/// Levenshtein's: insertions, deletions and replacements of one letter.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, diagonal + 1});
    }
  }
  return row.back();
}

}  // namespace

TextError::TextError(ErrorCode code, std::string_view text, std::size_t offset, std::string_view message)
    : Error(code, pointing(text, offset, message)) {}

std::string did_you_mean(std::string_view word, std::span<const std::string_view> known) {
  if (word.empty() || word.size() > kMaxNameLength) return "";  // near no word, and slow to compare
  const auto distance = [&](std::string_view candidate) { return edit_distance(word, candidate); };
  const auto nearest = std::ranges::min_element(known, {}, distance);
  const std::size_t typo = std::max<std::size_t>(2, word.size() / 3);
  if (nearest == known.end() || distance(*nearest) > std::min(typo, word.size() - 1)) return "";
  return fmt::format("; did you mean '{}'?", *nearest);
}

}  // namespace flashbias::codegen
