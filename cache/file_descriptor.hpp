#pragma once

#include <fcntl.h>

#include <cstddef>
#include <cstdint>
#include <string>

namespace flashbias::cache {

/// A file or directory that is open; closed when the object goes.
class FileDescriptor {
 public:
  explicit FileDescriptor(int descriptor) noexcept : descriptor_(descriptor) {}
  FileDescriptor(FileDescriptor&& other) noexcept;
  FileDescriptor& operator=(FileDescriptor&& other) noexcept;
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  ~FileDescriptor();

  [[nodiscard]] int get() const noexcept { return descriptor_; }
  [[nodiscard]] bool is_open() const noexcept { return descriptor_ >= 0; }

 private:
  int descriptor_ = -1;
};

// Files are named relative to an open directory: it stays the same one while other processes rename it.

/// Opens with the flags of open(2), and closed on exec. Where that fails, gives a closed one and leaves errno.
[[nodiscard]] FileDescriptor open_at(const FileDescriptor& directory, const char* name, int flags, mode_t mode = 0);

/// Renames within a directory; false where that fails, with errno.
[[nodiscard]] bool rename_at(const FileDescriptor& directory, const char* from, const char* to);

/// Contents of a regular file that is no link and not larger than `limit` bytes. Throws Error(cache).
[[nodiscard]] std::string read_file(const FileDescriptor& directory, const char* name, std::size_t limit);

enum class Durability : std::uint8_t {
  none,
  on_disk,  ///< waits until it is there
};

/// Creates a file (mode 0600). Throws Error(cache).
void write_file(const FileDescriptor& directory, const char* name, const void* data, std::size_t size,
                Durability durability = Durability::on_disk);

/// Waits until the names in a directory are on the disk. Throws Error(cache).
void synchronise(const FileDescriptor& directory);

/// Throws SystemError with the reason of the last failed system call: `cannot <attempt>: No space left on device`.
[[noreturn]] void throw_errno(const std::string& attempt);

}  // namespace flashbias::cache
