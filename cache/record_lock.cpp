#include "cache/record_lock.hpp"

#include <fcntl.h>

#include <cerrno>
#include <string>

namespace flashbias::cache {
namespace {

/// Byte that stands for a name: 60 bits of its FNV-1a hash, behind two for the kind. Two names that share a byte cost a
/// wait, or an eviction that does not happen, and nothing else.
off_t byte_of(LockKind kind, std::string_view name) {
  constexpr std::uint64_t kOffsetBasis = 0xcbf29ce484222325;
  constexpr std::uint64_t kPrime = 0x100000001b3;
  constexpr unsigned kHashBits = 60;
  std::uint64_t hash = kOffsetBasis;
  for (const char character : name) hash = (hash ^ static_cast<unsigned char>(character)) * kPrime;
  return static_cast<off_t>((static_cast<std::uint64_t>(kind) << kHashBits) | (hash >> (64 - kHashBits)));
}

/// fcntl's result; errno where it is not 0.
int set_lock(const FileDescriptor& locks, int command, short type, LockKind kind, std::string_view name) {
  struct flock range {};
  range.l_type = type;
  range.l_whence = SEEK_SET;
  range.l_start = byte_of(kind, name);
  range.l_len = 1;
  int result = 0;
  do {
    result = fcntl(locks.get(), command, &range);
  } while (result != 0 && errno == EINTR);
  return result;
}

}  // namespace

FileDescriptor open_locks(const FileDescriptor& store) {
  FileDescriptor locks = open_at(store, kLockFile, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
  return locks.is_open() ? std::move(locks) : open_at(store, kLockFile, O_RDONLY | O_NOFOLLOW);
}

bool lock_exclusively(const FileDescriptor& locks, LockKind kind, std::string_view name) {
  return set_lock(locks, F_OFD_SETLKW, F_WRLCK, kind, name) == 0;
}

LockResult try_lock_exclusively(const FileDescriptor& locks, LockKind kind, std::string_view name) {
  if (set_lock(locks, F_OFD_SETLK, F_WRLCK, kind, name) == 0) return LockResult::held;
  return errno == EAGAIN || errno == EACCES ? LockResult::busy : LockResult::unsupported;
}

bool lock_shared(const FileDescriptor& locks, LockKind kind, std::string_view name) {
  return set_lock(locks, F_OFD_SETLKW, F_RDLCK, kind, name) == 0;
}

void unlock(const FileDescriptor& locks, LockKind kind, std::string_view name) {
  set_lock(locks, F_OFD_SETLK, F_UNLCK, kind, name);
}

}  // namespace flashbias::cache
