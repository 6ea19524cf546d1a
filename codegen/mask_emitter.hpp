#pragma once

#include <string>

#include "codegen/key_range.hpp"

namespace flashbias::codegen {

/// The text that takes the place of templates/key_range.cuh: the ends of the keys that a query sees.
[[nodiscard]] std::string emit_key_range(const KeyRange& visible);

}  // namespace flashbias::codegen
