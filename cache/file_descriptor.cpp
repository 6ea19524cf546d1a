#include "cache/file_descriptor.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>

#include "cache/system_error.hpp"
#include "flashbias/error.hpp"

namespace flashbias::cache {

FileDescriptor::FileDescriptor(FileDescriptor&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

FileDescriptor& FileDescriptor::operator=(FileDescriptor&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

FileDescriptor::~FileDescriptor() {
  if (is_open()) close(descriptor_);
}

FileDescriptor open_at(const FileDescriptor& directory, const char* name, int flags, mode_t mode) {
  return FileDescriptor(openat(directory.get(), name, flags | O_CLOEXEC, mode));
}

bool rename_at(const FileDescriptor& directory, const char* from, const char* to) {
  return renameat(directory.get(), from, directory.get(), to) == 0;
}

std::string read_file(const FileDescriptor& directory, const char* name, std::size_t limit) {
  // Opening a pipe that was planted here would wait for its writer.
  const FileDescriptor file = open_at(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  struct stat status {};
  if (!file.is_open() || fstat(file.get(), &status) != 0) throw_errno(fmt::format("open {}", name));
  if (!S_ISREG(status.st_mode)) throw Error(ErrorCode::cache, fmt::format("{} is no regular file", name));
  if (static_cast<std::size_t>(status.st_size) > limit) {
    throw Error(ErrorCode::cache, fmt::format("{} has {} bytes, expected at most {}", name, status.st_size, limit));
  }
  std::string contents(static_cast<std::size_t>(status.st_size), '\0');
  std::size_t done = 0;
  while (done < contents.size()) {
    const ssize_t count = read(file.get(), contents.data() + done, contents.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_errno(fmt::format("read {}", name));
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  contents.resize(done);
  return contents;
}

void write_file(const FileDescriptor& directory, const char* name, const void* data, std::size_t size,
                Durability durability) {
  const FileDescriptor file = open_at(directory, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
  if (!file.is_open()) throw_errno(fmt::format("create {}", name));
  const char* rest = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t count = write(file.get(), rest, size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_errno(fmt::format("write {}", name));
    rest += count;
    size -= static_cast<std::size_t>(count);
  }
  if (durability == Durability::on_disk && fsync(file.get()) != 0)
    throw_errno(fmt::format("write {} to the disk", name));
}

void synchronise(const FileDescriptor& directory) {
  if (fsync(directory.get()) != 0) throw_errno("write a directory to the disk");
}

void throw_errno(const std::string& attempt) {
  const int number = errno;  // what follows may change it
  throw SystemError(fmt::format("cannot {}: {}", attempt, std::generic_category().message(number)), number);
}

}  // namespace flashbias::cache
