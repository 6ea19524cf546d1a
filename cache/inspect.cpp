#include <fmt/format.h>

#include <algorithm>
#include <system_error>

#include "cache/entry_directory.hpp"
#include "cache/entry_name.hpp"
#include "cache/store_directory.hpp"
#include "flashbias/cache.hpp"
#include "flashbias/error.hpp"

namespace flashbias::cache {
namespace {

namespace fs = std::filesystem;

/// Names in a directory that satisfy a predicate, sorted.
template <class Predicate>
std::vector<std::string> names_in(const fs::path& directory, Predicate predicate) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error)) {
    if (std::string name = entry->path().filename().string(); predicate(name)) names.push_back(std::move(name));
  }
  std::sort(names.begin(), names.end());
  return names;
}

/// What `read` finds in each entry, or why it could not.
template <class Read>
std::vector<DiskStore::Status> examine(const fs::path& directory, Read read) {
  std::vector<DiskStore::Status> statuses;
  const auto store = open_store(directory);
  if (!store) return statuses;
  for (const auto& key : names_in(directory, is_key)) {
    DiskStore::Status status{.key = key, .manifest = std::nullopt, .problem = {}};
    try {
      status.manifest = read(open_entry(*store, key), key);
    } catch (const Error& error) {
      status.problem = error.what();
    }
    statuses.push_back(std::move(status));
  }
  return statuses;
}

/// Deletes an entry, under another name first: whoever reads it meanwhile then finds it gone, not bad.
void remove_entry(const FileDescriptor& store, const fs::path& directory, const std::string& name) {
  const std::string removed = unique_name(key_of(name), kRemoved);
  if (!rename_at(store, name.c_str(), removed.c_str()))
    throw_errno(fmt::format("remove {}", (directory / name).string()));
  std::error_code error;
  fs::remove_all(directory / removed, error);
  if (error) {
    throw Error(ErrorCode::cache, fmt::format("cannot remove {}: {}", (directory / removed).string(), error.message()));
  }
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

std::size_t DiskStore::clear() const {
  const auto store = open_store(directory_);
  if (!store) return 0;
  const auto names = names_in(directory_, [](std::string_view name) { return is_key(name) || is_set_aside(name); });
  for (const auto& name : names) remove_entry(*store, directory_, name);
  return names.size();
}

}  // namespace flashbias::cache
