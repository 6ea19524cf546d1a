#pragma once

#include <string_view>
#include <vector>

namespace flashbias::tools {

/// The sides of a window such as `24x24` or `2x6x12`; none where the text is no such thing.
[[nodiscard]] std::vector<int> parse_sides(std::string_view text);

}  // namespace flashbias::tools
