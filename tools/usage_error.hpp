#pragma once

#include <CLI/App.hpp>
#include <string>

namespace flashbias::tools {

/// What is wrong with a command line that was refused, and where to read more. For a verb or a flag that there is none
/// of, names it and those that there are.
[[nodiscard]] std::string usage_error_text(const CLI::App& app, const CLI::ParseError& error);

}  // namespace flashbias::tools
