#include "cache/usage.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <ctime>

#include "cache/record_lock.hpp"

namespace flashbias::cache {
namespace {

bool was_deleted(const FileDescriptor& file) {
  struct stat status {};
  return fstat(file.get(), &status) != 0 || status.st_nlink == 0;
}

bool is_before(const timespec& a, const timespec& b) {
  return a.tv_sec != b.tv_sec ? a.tv_sec < b.tv_sec : a.tv_nsec < b.tv_nsec;
}

timespec just_after(timespec time) {
  constexpr long kSecond = 1'000'000'000;
  if (++time.tv_nsec == kSecond) return {.tv_sec = time.tv_sec + 1, .tv_nsec = 0};
  return time;
}

/// The time, but later than that of every use before, also where the clock has been set back. What was last told is the
/// time of the lock file.
timespec next_time(const FileDescriptor& store) {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  struct stat status {};
  if (fstatat(store.get(), kLockFile, &status, AT_SYMLINK_NOFOLLOW) != 0) return now;
  if (is_before(status.st_mtim, now)) return now;
  return just_after(status.st_mtim);
}

void date_use(const FileDescriptor& store, const FileDescriptor& uses) {
  const std::array<timespec, 2> times{{{.tv_sec = 0, .tv_nsec = UTIME_OMIT}, next_time(store)}};
  futimens(uses.get(), times.data());
  utimensat(store.get(), kLockFile, times.data(), AT_SYMLINK_NOFOLLOW);
}

}  // namespace

void InUse::hold(const FileDescriptor& store, const std::string& key) {
  const std::lock_guard lock(mutex_);
  // The whole cache may have been deleted and made anew.
  if (!locks_.is_open() || was_deleted(locks_)) locks_ = open_locks(store);
  if (locks_.is_open()) lock_shared(locks_, LockKind::in_use, key);
}

void date_publication(const FileDescriptor& store, const FileDescriptor& entry) {
  date_use(store, open_at(entry, kUsesFile, O_WRONLY | O_NOFOLLOW));
}

void count_use(const FileDescriptor& store, const FileDescriptor& entry) {
  // Not created: it would keep an entry that is being removed from going.
  const FileDescriptor uses = open_at(entry, kUsesFile, O_WRONLY | O_APPEND | O_NOFOLLOW);
  if (uses.is_open() && write(uses.get(), "+", 1) == 1) date_use(store, uses);
}

}  // namespace flashbias::cache
