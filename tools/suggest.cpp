#include "tools/suggest.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

namespace flashbias::tools {
namespace {

/// Insertions, deletions and replacements between two words (Levenshtein 1966).
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row.back();
}

}  // namespace

std::string suggestion(std::string_view text, std::span<const std::string_view> names) {
  constexpr std::size_t kClose = 2;
  const auto distance = [text](std::string_view name) { return edit_distance(text, name); };
  const auto nearest = std::ranges::min_element(names, {}, distance);
  if (nearest != names.end() && distance(*nearest) <= kClose) return fmt::format("; did you mean \"{}\"?", *nearest);
  return fmt::format("; expected one of {}", fmt::join(names, ", "));
}

}  // namespace flashbias::tools
