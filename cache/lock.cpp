#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "cache/store_directory.hpp"
#include "flashbias/cache.hpp"
#include "flashbias/error.hpp"

namespace flashbias::cache {
namespace {

bool lock_exclusively(int descriptor) {
  while (flock(descriptor, LOCK_EX) != 0) {
    if (errno != EINTR) return false;
  }
  return true;
}

}  // namespace

DiskStore::Lock::Lock(Lock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

DiskStore::Lock& DiskStore::Lock::operator=(Lock&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

DiskStore::Lock::~Lock() {
  if (descriptor_ < 0) return;
  // Closing alone would not do: a child forked meanwhile has the file open, too.
  flock(descriptor_, LOCK_UN);
  close(descriptor_);
}

std::optional<DiskStore::Lock> DiskStore::lock(const std::string& key) const try {
  const FileDescriptor store = create_store(directory_);
  // The file stays: were it removed, two processes could hold locks on two files of this name.
  const int file = openat(store.get(), (key + ".lock").c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (file < 0) return std::nullopt;
  Lock lock(file);
  if (!lock_exclusively(file)) return std::nullopt;
  return lock;
} catch (const Error&) {
  return std::nullopt;
}

}  // namespace flashbias::cache
