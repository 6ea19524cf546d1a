#include "runtime/byte_size.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

#include "flashbias/error.hpp"

namespace flashbias::runtime {
namespace {

struct Unit {
  std::string_view name;
  std::uintmax_t bytes;
};
constexpr std::array kUnits = {Unit{"", 1},
                               Unit{"B", 1},
                               Unit{"KiB", std::uintmax_t{1} << 10U},
                               Unit{"MiB", std::uintmax_t{1} << 20U},
                               Unit{"GiB", std::uintmax_t{1} << 30U},
                               Unit{"TiB", std::uintmax_t{1} << 40U}};

}  // namespace

std::uintmax_t parse_byte_size(std::string_view text) {
  std::uintmax_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  std::string_view name = text.substr(static_cast<std::size_t>(end - text.data()));
  if (name.starts_with(' ')) name.remove_prefix(1);
  const auto* const unit = std::ranges::find(kUnits, name, &Unit::name);
  if (error == std::errc() && unit != kUnits.end() &&
      number <= std::numeric_limits<std::uintmax_t>::max() / unit->bytes) {
    return number * unit->bytes;
  }
  throw Error(ErrorCode::parse,
              fmt::format("'{}' is no size: expected a number of bytes, or one with KiB, MiB, GiB or TiB", text));
}

}  // namespace flashbias::runtime
