#pragma once

#include <filesystem>

namespace flashbias::tools {

/// Throws Error(cache) where a pack could not be written to this path; asked before the work for one is done.
void check_pack_path(const std::filesystem::path& path);

}  // namespace flashbias::tools
