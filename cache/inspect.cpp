#include <fmt/format.h>

#include <utility>

#include "cache/entry_directory.hpp"
#include "cache/entry_name.hpp"
#include "cache/eviction.hpp"
#include "cache/store_directory.hpp"
#include "flashbias/cache.hpp"
#include "flashbias/error.hpp"

namespace flashbias::cache {
namespace {

/// What `read` finds in each entry, or why it could not.
template <class Read>
std::vector<DiskStore::Status> examine(const std::filesystem::path& directory, Read read) {
  std::vector<DiskStore::Status> statuses;
  const auto store = open_store(directory);
  if (!store) return statuses;
  for (auto& key : names_in(directory, is_key)) {
    const FileDescriptor entry = open_entry(*store, key);
    const EntryUsage usage = examine_usage(entry);
    DiskStore::Status status{.key = std::move(key),
                             .manifest = std::nullopt,
                             .problem = {},
                             .bytes = usage.bytes,
                             .hits = usage.hits,
                             .published = usage.published,
                             .last_used = usage.last_used};
    try {
      status.manifest = read(entry, status.key);
    } catch (const Error& error) {
      status.problem = error.what();
    }
    statuses.push_back(std::move(status));
  }
  return statuses;
}

}  // namespace

std::vector<DiskStore::Status> DiskStore::list() const {
  return examine(directory_,
                 [](const FileDescriptor& directory, const std::string&) { return read_manifest(directory); });
}

std::vector<DiskStore::Status> DiskStore::verify() const {
  return examine(directory_, [](const FileDescriptor& directory, const std::string& key) {
    return read_entry(directory, key).manifest;
  });
}

PruneResult DiskStore::prune(const PruneOptions& options) const {
  const auto store = open_store(directory_);
  if (!store) return {};
  const Removal removal = cache::prune(*store, directory_, options);
  if (removal.unlockable) {
    throw Error(ErrorCode::cache,
                fmt::format("entries of {} that are in use cannot be told from others, as its file system has no locks "
                            "or its file `locks` cannot be opened; `flashbias cache clear` removes all of them",
                            directory_.string()));
  }
  return removal.result;
}

PruneResult DiskStore::clear() const {
  const auto store = open_store(directory_);
  return store ? cache::clear(*store, directory_) : PruneResult{};
}

}  // namespace flashbias::cache
