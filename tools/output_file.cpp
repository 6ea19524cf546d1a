#include "tools/output_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string>
#include <system_error>

#include "flashbias/error.hpp"

namespace flashbias::tools {
namespace {

namespace fs = std::filesystem;

/// An errno, or 0.
int write_all(int file, std::initializer_list<std::string_view> parts) {
  for (std::string_view part : parts) {
    while (!part.empty()) {
      const ssize_t count = write(file, part.data(), part.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return errno;
      part.remove_prefix(static_cast<std::size_t>(count));
    }
  }
  return 0;
}

int write_directly(const fs::path& path, std::initializer_list<std::string_view> parts) {
  const int file = open(path.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC);
  if (file < 0) return errno;
  const int problem = write_all(file, parts);
  const bool closed = close(file) == 0;
  return problem == 0 && !closed ? errno : problem;
}

/// `before`: of the file that is replaced, or null.
int write_aside(const fs::path& path, const struct stat* before, std::initializer_list<std::string_view> parts) {
  if (before != nullptr && access(path.c_str(), W_OK) != 0) return errno;  // a rename would replace it all the same
  constexpr mode_t kMode = 0666;
  const std::string aside = fmt::format("{}.{}.part", path.string(), getpid());
  const int file = open(aside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, kMode);
  if (file < 0) return errno;
  int problem = write_all(file, parts);
  if (problem == 0 && before != nullptr && fchmod(file, before->st_mode & 07777U) != 0) problem = errno;
  if (close(file) != 0 && problem == 0) problem = errno;
  if (problem == 0 && std::rename(aside.c_str(), path.c_str()) != 0) problem = errno;
  if (problem != 0) (void)unlink(aside.c_str());
  return problem;
}

int write_to(const fs::path& path, std::initializer_list<std::string_view> parts) {
  struct stat before {};
  if (stat(path.c_str(), &before) != 0) return write_aside(path, nullptr, parts);
  // /dev/stdout leads to what standard output is, perhaps a regular file, which others hold open.
  const bool is_stream = path.string().starts_with("/dev/") || path.string().starts_with("/proc/");
  if (is_stream || !S_ISREG(before.st_mode)) return write_directly(path, parts);
  std::error_code failed;
  const fs::path target = fs::canonical(path, failed);  // of a link, the file, not the link, is replaced
  return failed ? failed.value() : write_aside(target, &before, parts);
}

}  // namespace

void write_output_file(const fs::path& path, std::initializer_list<std::string_view> parts) {
  const int problem = write_to(path, parts);
  if (problem == 0) return;
  throw Error(ErrorCode::io,
              fmt::format("cannot write {}: {}; name a file that can be written, in a directory that can",
                          path.string(), std::generic_category().message(problem)));
}

}  // namespace flashbias::tools
