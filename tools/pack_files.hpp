#pragma once

#include <filesystem>

#include "flashbias/pack.hpp"

namespace flashbias::tools {

/// Adds what a pack holds, verified; how many kernels the writer had already. Throws Error(cache) for a bad one.
std::size_t add_pack_to(cache::PackWriter& writer, const cache::Pack& pack);

/// Throws Error(cache) where a pack could not be written to this path; asked before the work for one is done.
void check_pack_path(const std::filesystem::path& path);

}  // namespace flashbias::tools
