#include "cache/mapped_file.hpp"

#include <sys/mman.h>
#include <sys/stat.h>

#include "flashbias/error.hpp"

namespace flashbias::cache {

MappedFile::MappedFile(const std::filesystem::path& path)
    : file_(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
  struct stat status {};
  if (!file_.is_open() || fstat(file_.get(), &status) != 0) throw_errno("open it");
  if (!S_ISREG(status.st_mode)) throw Error(ErrorCode::cache, "it is no regular file");
  mode_ = status.st_mode & 07777U;
  modified_ = status.st_mtim;
  if (status.st_size == 0) return;
  const auto size = static_cast<std::size_t>(status.st_size);
  void* address = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file_.get(), 0);
  if (address == MAP_FAILED) throw_errno("map it into memory");
  bytes_ = {static_cast<const std::byte*>(address), size};
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

bool MappedFile::has_changed() const noexcept {
  struct stat status {};
  return fstat(file_.get(), &status) != 0 || static_cast<std::size_t>(status.st_size) != bytes_.size() ||
         status.st_mtim.tv_sec != modified_.tv_sec || status.st_mtim.tv_nsec != modified_.tv_nsec;
}

}  // namespace flashbias::cache
