#pragma once

#include <functional>
#include <optional>
#include <string>

namespace flashbias::runtime {

/// Value of an environment variable; nothing where it is unset or empty.
using Variables = std::function<std::optional<std::string>(const char* name)>;

/// As it was when the process first asked for any: the environment is read once. Throws std::logic_error for a variable
/// that is not among those that are read.
[[nodiscard]] std::optional<std::string> environment_variable(const char* name);

}  // namespace flashbias::runtime
