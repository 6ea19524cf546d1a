#pragma once

#include <span>
#include <string>
#include <string_view>

namespace flashbias::tools {

/// `; did you mean "heads"?` if a name is close to the text, else `; expected one of batch, heads`.
[[nodiscard]] std::string suggestion(std::string_view text, std::span<const std::string_view> names);

}  // namespace flashbias::tools
