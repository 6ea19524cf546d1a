#pragma once

#include <CLI/App.hpp>
#include <cstdint>
#include <limits>

/// What a flag's text must be, for CLI::Option::check.
namespace flashbias::tools {

/// A whole number within these bounds, without leading zeros.
[[nodiscard]] CLI::Validator whole_number(std::int64_t least,
                                          std::int64_t most = std::numeric_limits<std::int64_t>::max());
/// A whole number that fits an int and is not negative: what else it must be is checked with the config.
[[nodiscard]] CLI::Validator whole_int();
/// Any text but the empty one, which is what a shell's unset variable gives.
[[nodiscard]] CLI::Validator not_empty();

}  // namespace flashbias::tools
