#pragma once

#include "flashbias/jit.hpp"
#include "runtime/environment.hpp"

namespace flashbias::runtime {

/// Options as these variables have them. Throws Error(invalid_argument).
[[nodiscard]] jit::Options options_from(const Variables& variables);

}  // namespace flashbias::runtime
