#include "flashbias/lowering.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <string>

#include "codegen/excerpt.hpp"
#include "flashbias/error.hpp"

namespace flashbias {
namespace {

/// In the order of Lowering.
constexpr std::array<std::string_view, 8> kLoweringNames{"dropped", "mask",  "key column", "diagonal",
                                                         "factors", "table", "registers",  "dense"};

}  // namespace

std::string_view to_string(Lowering lowering) noexcept { return kLoweringNames[static_cast<std::size_t>(lowering)]; }

Lowering parse_lowering(std::string_view text) {
  std::string spaced(text);
  std::ranges::replace(spaced, '_', ' ');
  const auto* const found = std::ranges::find(kLoweringNames, spaced);
  if (found == kLoweringNames.end()) {
    throw Error(ErrorCode::parse, fmt::format("'{}' is no lowering; accepted are {}", codegen::excerpt(text),
                                              fmt::join(kLoweringNames, ", ")));
  }
  return static_cast<Lowering>(found - kLoweringNames.begin());
}

}  // namespace flashbias
