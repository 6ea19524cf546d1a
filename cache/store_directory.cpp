#include "cache/store_directory.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "flashbias/error.hpp"

namespace flashbias::cache {
namespace {

constexpr const char* kOwnDirectory = "set FLASHBIAS_CACHE_DIR to a directory of your own";

void check_safe(const FileDescriptor& store, const std::filesystem::path& directory) {
  struct stat status {};
  if (fstat(store.get(), &status) != 0) throw_errno(fmt::format("examine the cache directory {}", directory.string()));
  if (status.st_uid != geteuid() && status.st_uid != 0) {
    throw Error(ErrorCode::cache, fmt::format("the cache directory {} belongs to user {}, expected {} or root; {}",
                                              directory.string(), status.st_uid, geteuid(), kOwnDirectory));
  }
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    throw Error(ErrorCode::cache,
                fmt::format("the cache directory {} has mode {:04o}, so others can write to it; run `chmod go-w '{}'`",
                            directory.string(), status.st_mode & 07777, directory.string()));
  }
}

}  // namespace

std::optional<FileDescriptor> open_store(const std::filesystem::path& directory) {
  FileDescriptor store(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!store.is_open()) {
    if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
    throw_errno(fmt::format("open the cache directory {}", directory.string()));
  }
  check_safe(store, directory);
  return store;
}

FileDescriptor create_store(const std::filesystem::path& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory.parent_path(), error);
  if (!error && mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    error.assign(errno, std::generic_category());
  }
  if (!error) {
    if (auto store = open_store(directory)) return std::move(*store);
    error = std::make_error_code(std::errc::not_a_directory);
  }
  throw Error(ErrorCode::cache, fmt::format("cannot create the cache directory {}: {}; {}", directory.string(),
                                            error.message(), kOwnDirectory));
}

}  // namespace flashbias::cache
