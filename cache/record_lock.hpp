#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "cache/file_descriptor.hpp"

/// Locks by name. All are bytes of one file of the store, `locks`, so they leave nothing behind; the system releases
/// them when the process dies. They are open file description locks (fcntl(2)): two descriptors exclude each other even
/// within a process, and closing one releases no other's.
namespace flashbias::cache {

inline constexpr const char* kLockFile = "locks";

/// What a name is locked for.
enum class LockKind : std::uint8_t {
  compile,     ///< exclusive: whoever holds it makes the entry
  in_use,      ///< shared: the entry must not be evicted
  unfinished,  ///< exclusive: whoever holds it is writing the entry
  eviction,    ///< exclusive: one process at a time
};

/// Opens the lock file of a store, made where it is missing and the directory can be written. Where it cannot be
/// opened, gives a closed descriptor.
[[nodiscard]] FileDescriptor open_locks(const FileDescriptor& store);

enum class LockResult : std::uint8_t { held, busy, unsupported };

/// Waits for an exclusive lock. False where the file system has none.
[[nodiscard]] bool lock_exclusively(const FileDescriptor& locks, LockKind kind, std::string_view name);
/// Does not wait.
[[nodiscard]] LockResult try_lock_exclusively(const FileDescriptor& locks, LockKind kind, std::string_view name);
/// Waits for a shared lock. False where the file system has none.
bool lock_shared(const FileDescriptor& locks, LockKind kind, std::string_view name);
void unlock(const FileDescriptor& locks, LockKind kind, std::string_view name);

}  // namespace flashbias::cache
