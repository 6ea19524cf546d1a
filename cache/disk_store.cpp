#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "cache/entry_directory.hpp"
#include "cache/entry_name.hpp"
#include "cache/store_directory.hpp"
#include "flashbias/cache.hpp"
#include "flashbias/error.hpp"

namespace flashbias::cache {
namespace {

namespace fs = std::filesystem;

/// Whether an open entry is still the one of its name.
bool is_current(const FileDescriptor& store, const std::string& key, const FileDescriptor& entry) {
  struct stat open {};
  struct stat named {};
  return fstat(entry.get(), &open) == 0 && fstatat(store.get(), key.c_str(), &named, AT_SYMLINK_NOFOLLOW) == 0 &&
         open.st_dev == named.st_dev && open.st_ino == named.st_ino;
}

void set_aside(const FileDescriptor& store, const fs::path& directory, const std::string& key, const char* problem) {
  const std::string aside = unique_name(key, kSetAside);
  const bool renamed = rename_at(store, key.c_str(), aside.c_str());
  fmt::print(
      stderr, "flashbias: warning: the cache entry {} is bad ({}); {}\n", (directory / key).string(), problem,
      renamed ? fmt::format("it is kept as {} and will be rebuilt", aside) : "it cannot be renamed and is ignored");
}

}  // namespace

DiskStore::DiskStore(const fs::path& directory) : directory_(fs::absolute(directory)) {}

fs::path DiskStore::default_directory() {
  const auto variable = [](const char* name) -> fs::path {
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
  };
  if (fs::path chosen = variable("FLASHBIAS_CACHE_DIR"); !chosen.empty()) return chosen;
  // The XDG specification has relative paths ignored.
  if (const fs::path caches = variable("XDG_CACHE_HOME"); caches.is_absolute()) return caches / "flashbias";
  if (const fs::path home = variable("HOME"); !home.empty()) return home / ".cache" / "flashbias";
  throw Error(ErrorCode::cache, "there is no place for the cache; set FLASHBIAS_CACHE_DIR, XDG_CACHE_HOME or HOME");
}

std::optional<Entry> DiskStore::load(const std::string& key, bool with_source) const {
  const auto store = open_store(directory_);
  if (!store) return std::nullopt;
  const FileDescriptor directory = open_entry(*store, key);
  if (!directory.is_open() && errno == ENOENT) return std::nullopt;
  try {
    Entry entry = read_entry(directory, key);
    if (!with_source) entry.source.clear();
    return entry;
  } catch (const Error& error) {
    // Where it is no longer current, another process has cleared it or set it aside while it was read.
    if (is_current(*store, key, directory)) set_aside(*store, directory_, key, error.what());
    return std::nullopt;
  }
}

}  // namespace flashbias::cache
