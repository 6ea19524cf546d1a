#pragma once

#include <cstdint>
#include <filesystem>

#include "cache/file_descriptor.hpp"
#include "flashbias/cache.hpp"

/// Removal of entries and of what processes that died left behind.
namespace flashbias::cache {

/// What came of a sweep, which goes on where one thing cannot be removed.
struct Removal {
  PruneResult result;
  bool unlockable = false;  ///< there are no locks here, so nothing was removed
};

/// What the options name, every leftover, and what tells of entries that are gone. One process at a time removes: waits
/// while another is at it.
Removal prune(const FileDescriptor& store, const std::filesystem::path& directory, const PruneOptions& options);

/// Where the store is larger than `limit`: all leftovers, and entries until no more than `target` bytes are left. Else
/// only leftovers that tell nothing: not those set aside, which somebody may want to look at. Does nothing while
/// another process is at it.
Removal evict(const FileDescriptor& store, const std::filesystem::path& directory, std::uintmax_t limit,
              std::uintmax_t target);

/// Every entry and leftover, but for what another process is writing. Waits as prune() does; where there are no locks,
/// goes on without.
PruneResult clear(const FileDescriptor& store, const std::filesystem::path& directory);

}  // namespace flashbias::cache
