#pragma once

#include "flashbias/pack.hpp"

namespace flashbias::tools {

/// Adds what a pack holds, verified; how many kernels the writer had already. Throws Error(cache) for a bad one.
std::size_t add_pack_to(cache::PackWriter& writer, const cache::Pack& pack);

}  // namespace flashbias::tools
