#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>

#include "runtime/environment.hpp"

namespace flashbias::testing {

/// An environment of these variables alone.
inline runtime::Variables variables(std::map<std::string, std::string> values) {
  return [values = std::move(values)](const char* name) -> std::optional<std::string> {
    const auto found = values.find(name);
    return found == values.end() ? std::nullopt : std::optional(found->second);
  };
}

}  // namespace flashbias::testing
