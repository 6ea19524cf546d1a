#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace flashbias::cache {

/// Throws Error(cache) with what is wrong unless the image begins as a cubin for this architecture (`sm_90a`) does.
void check_cubin_header(std::span<const std::byte> image, std::string_view arch);

}  // namespace flashbias::cache
