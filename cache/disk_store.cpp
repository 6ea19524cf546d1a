#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <system_error>

#include "cache/entry_directory.hpp"
#include "cache/entry_name.hpp"
#include "cache/latest.hpp"
#include "cache/store_directory.hpp"
#include "cache/store_state.hpp"
#include "cache/system_error.hpp"
#include "flashbias/cache.hpp"
#include "flashbias/error.hpp"

namespace flashbias::cache {
namespace {

namespace fs = std::filesystem;

/// Absolute, and ending in the directory's name: of `cache/` and `cache/.`, the parent would be the directory itself,
/// which would then be made as parents are, with the mode that the umask leaves.
fs::path named(const fs::path& directory) {
  fs::path path = fs::absolute(directory);
  while (path.has_relative_path() && (!path.has_filename() || path.filename() == ".")) path = path.parent_path();
  return path;
}

/// Whether an open entry is still the one of its name.
bool is_current(const FileDescriptor& store, const std::string& key, const FileDescriptor& entry) {
  struct stat open {};
  struct stat named {};
  return fstat(entry.get(), &open) == 0 && fstatat(store.get(), key.c_str(), &named, AT_SYMLINK_NOFOLLOW) == 0 &&
         open.st_dev == named.st_dev && open.st_ino == named.st_ino;
}

/// Whether an entry that gives such an error lacks a file or has something else in its place. Any other, such as too
/// many open files, is of this process or its disk, and tells nothing of the entry.
bool is_damage(int number) { return number == ENOENT || number == ENOTDIR || number == ELOOP; }

/// What became of a bad entry.
std::string set_aside(const FileDescriptor& store, const std::string& key) {
  const std::string aside = unique_name(key, kSetAside);
  return rename_at(store, key.c_str(), aside.c_str()) ? fmt::format("it is kept as {}", aside)
                                                      : "it cannot be renamed and is ignored";
}

}  // namespace

DiskStore::DiskStore(const fs::path& directory, std::uintmax_t limit)
    : directory_(named(directory)), limit_(limit), shared_(std::make_shared<Shared>()) {}

void DiskStore::create_directory() const { (void)create_store(directory_); }

std::optional<Entry> DiskStore::load(const std::string& key, bool with_source, Miss* why_not) const {
  const auto miss = [&](MissReason reason, std::string detail) {
    if (why_not != nullptr) *why_not = {.reason = reason, .detail = std::move(detail)};
    return std::nullopt;
  };
  const auto store = open_store(directory_);
  if (!store) return miss(MissReason::absent, "");
  shared_->in_use.hold(*store, key);
  const FileDescriptor directory = open_entry(*store, key);
  if (!directory.is_open()) {
    const int number = errno;
    if (number == ENOENT) return miss(MissReason::absent, "");
    return miss(MissReason::unusable, fmt::format("cannot open {}: {}", key, std::generic_category().message(number)));
  }
  try {
    Entry entry = read_entry(directory, key);
    if (!with_source) entry.source.clear();
    count_use(*store, directory);
    return entry;
  } catch (const Error& error) {
    const auto* failure = dynamic_cast<const SystemError*>(&error);
    if (failure != nullptr && !is_damage(failure->number())) {
      return miss(MissReason::unusable, fmt::format("{}: {}", key, error.what()));
    }
    // Where it is no longer current, another process has cleared it or set it aside while it was read.
    if (!is_current(*store, key, directory)) return miss(MissReason::absent, "");
    return miss(MissReason::corrupt, fmt::format("{}; {}", error.what(), set_aside(*store, key)));
  }
}

std::optional<std::string> DiskStore::latest_key(const std::string& config) const {
  const auto store = open_store(directory_);
  return store ? read_latest(*store, config) : std::nullopt;
}

void DiskStore::remember(const std::string& config, const std::string& key) const noexcept try {
  const auto store = open_store(directory_);
  if (store && read_latest(*store, config) != key) write_latest(*store, config, key);
} catch (const std::exception&) {
  return;
}

std::optional<Manifest> DiskStore::manifest(const std::string& key) const try {
  const auto store = open_store(directory_);
  if (!store) return std::nullopt;
  return read_manifest(open_entry(*store, key));
} catch (const Error&) {
  return std::nullopt;
}

std::string DiskStore::source(const std::string& key) const {
  const auto store = open_store(directory_);
  if (!store) throw Error(ErrorCode::cache, fmt::format("there is no cache directory {}", directory_.string()));
  try {
    return read_entry(open_entry(*store, key), key).source;
  } catch (const Error& error) {
    throw Error(ErrorCode::cache, fmt::format("the entry {} is bad: {}", key, error.what()));
  }
}

std::string_view to_string(MissReason reason) noexcept {
  switch (reason) {
    case MissReason::absent:
      return "absent";
    case MissReason::version:
      return "version";
    case MissReason::corrupt:
      return "corrupt";
    case MissReason::unusable:
      return "unusable";
  }
  return "unknown";
}

}  // namespace flashbias::cache
