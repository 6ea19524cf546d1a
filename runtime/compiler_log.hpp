#pragma once

#include <string_view>

#include "flashbias/cubin.hpp"

namespace flashbias::runtime {

/// What the assembler says of the kernels in a log written under `--ptxas-options=-v`, of several the most of each:
///
///     ptxas info    : Compiling entry function 'k' for 'sm_90a'
///     ptxas info    : Function properties for k
///     ptxas         .     16 bytes stack frame, 12 bytes spill stores, 8 bytes spill loads
///     ptxas info    : Used 168 registers, used 1 barriers, 128 bytes smem
///
/// What the log does not tell is 0.
[[nodiscard]] KernelResources parse_resources(std::string_view log);

}  // namespace flashbias::runtime
