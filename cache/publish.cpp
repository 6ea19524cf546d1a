#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>

#include "cache/entry_directory.hpp"
#include "cache/entry_name.hpp"
#include "cache/eviction.hpp"
#include "cache/growth.hpp"
#include "cache/latest.hpp"
#include "cache/record_lock.hpp"
#include "cache/store_directory.hpp"
#include "cache/store_state.hpp"
#include "cache/usage.hpp"
#include "flashbias/cache.hpp"
#include "flashbias/error.hpp"

namespace flashbias::cache {
namespace {

/// An entry being written under a name of its own, removed unless it is published.
class UnfinishedEntry {
 public:
  UnfinishedEntry(const FileDescriptor& store, const std::filesystem::path& directory, const std::string& key)
      : store_(store), name_(unique_name(key, kUnfinished)), path_(directory / name_), locks_(open_locks(store)) {
    // Tells that it is no leftover; the system forgets that with the process.
    if (locks_.is_open()) (void)lock_exclusively(locks_, LockKind::unfinished, name_);
    if (mkdirat(store_.get(), name_.c_str(), 0700) != 0) throw_errno("create a directory");
  }
  ~UnfinishedEntry() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  UnfinishedEntry(const UnfinishedEntry&) = delete;
  UnfinishedEntry& operator=(const UnfinishedEntry&) = delete;

  void write(const Entry& entry) const {
    const FileDescriptor directory = open_at(store_, name_.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!directory.is_open()) throw_errno("open a directory");
    write_entry(directory, entry);
    date_publication(store_, directory);
  }

  void publish(const std::string& key) const {
    if (!rename_at(store_, name_.c_str(), key.c_str())) {
      const bool is_there = errno == EEXIST || errno == ENOTEMPTY;
      if (is_there) return;
      throw_errno("rename a directory");
    }
    synchronise(store_);
  }

 private:
  const FileDescriptor& store_;
  std::string name_;
  std::filesystem::path path_;
  FileDescriptor locks_;
};

}  // namespace

void DiskStore::publish(const Entry& entry) const {
  const FileDescriptor store = create_store(directory_);
  try {
    check_entry(entry);
    shared_->in_use.hold(store, entry.key);
    const UnfinishedEntry unfinished(store, directory_, entry.key);
    unfinished.write(entry);
    unfinished.publish(entry.key);
  } catch (const Error& error) {
    throw Error(ErrorCode::cache,
                fmt::format("cannot add {} to the cache {}: {}", entry.key, directory_.string(), error.what()));
  }
  write_latest(store, entry.manifest.config, entry.key);
  // What cannot be removed is told by prune(): this entry is published.
  if (has_outgrown(store, entry.cubin.size() + entry.source.size(), limit_)) {
    (void)evict(store, directory_, limit_, eviction_target(limit_));
  }
}

}  // namespace flashbias::cache
