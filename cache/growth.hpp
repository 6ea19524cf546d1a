#pragma once

#include <cstdint>

#include "cache/file_descriptor.hpp"

/// How much a store has grown since its size was last looked at: the length of its file `published`, a byte a KiB. To
/// look reads the whole directory, so it is done a few times on the way to the limit, not at each publication.
namespace flashbias::cache {

/// Records a publication; whether the store may have outgrown its limit.
[[nodiscard]] bool has_outgrown(const FileDescriptor& store, std::uintmax_t published_bytes, std::uintmax_t limit);

/// What eviction leaves of the limit: room for what is published until the size is looked at again.
[[nodiscard]] std::uintmax_t eviction_target(std::uintmax_t limit) noexcept;

/// The size has been looked at.
void reset_growth(const FileDescriptor& store) noexcept;

}  // namespace flashbias::cache
