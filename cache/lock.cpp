#include "cache/record_lock.hpp"
#include "cache/store_directory.hpp"
#include "flashbias/cache.hpp"
#include "flashbias/error.hpp"

namespace flashbias::cache {

struct DiskStore::Lock::Held {
  FileDescriptor locks;
  std::string key;

  Held(FileDescriptor file, std::string name) : locks(std::move(file)), key(std::move(name)) {}
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;
  // Closing alone would not do: a child forked meanwhile has the file open, too.
  ~Held() { unlock(locks, LockKind::compile, key); }
};

std::optional<DiskStore::Lock> DiskStore::lock(const std::string& key) const try {
  FileDescriptor locks = open_locks(create_store(directory_));
  if (!locks.is_open() || !lock_exclusively(locks, LockKind::compile, key)) return std::nullopt;
  return Lock(std::make_shared<Lock::Held>(std::move(locks), key));
} catch (const Error&) {
  return std::nullopt;
}

}  // namespace flashbias::cache
