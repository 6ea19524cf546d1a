#pragma once

#include <map>
#include <string>
#include <string_view>

namespace flashbias::codegen {

/// Replacements for the templates that stand for a choice of the plan (`mask.cuh`), by name.
using Choices = std::map<std::string, std::string, std::less<>>;

/// One text in place of a template and all that it includes, each file once, in the order of need.
[[nodiscard]] std::string inline_templates(std::string_view root, const Choices& choices);

}  // namespace flashbias::codegen
