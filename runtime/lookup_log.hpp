#pragma once

#include "flashbias/jit.hpp"

namespace flashbias::runtime {

/// Writes to stderr what the level asks for of a look-up. `cache_problem`: why the cache directory does not hold the
/// kernel, reported once a process.
void log_lookup(jit::Log level, const jit::Lookup& lookup, const std::string& cache_problem);

}  // namespace flashbias::runtime
