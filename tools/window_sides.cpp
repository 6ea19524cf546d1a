#include "tools/window_sides.hpp"

#include <charconv>
#include <system_error>

namespace flashbias::tools {

std::vector<int> parse_sides(std::string_view text) {
  std::vector<int> sides;
  const char* next = text.data();
  const char* const end = next + text.size();
  while (true) {
    int side = 0;
    const auto [stop, problem] = std::from_chars(next, end, side);
    if (problem != std::errc{} || side < 1) return {};
    sides.push_back(side);
    if (stop == end) return sides;
    if (*stop != 'x') return {};
    next = stop + 1;
  }
}

}  // namespace flashbias::tools
