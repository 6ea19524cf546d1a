#pragma once

#include <cstddef>
#include <ctime>
#include <filesystem>
#include <span>

#include "cache/file_descriptor.hpp"

namespace flashbias::cache {

/// A file, mapped read-only. Reading pages that were cut off a mapped file ends the process, so whoever reads asks
/// first whether it is still the same.
class MappedFile {
 public:
  /// Throws Error(cache).
  explicit MappedFile(const std::filesystem::path& path);
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return bytes_; }
  /// Permission bits as of opening.
  [[nodiscard]] mode_t mode() const noexcept { return mode_; }
  /// Whether it was written to, or cut off, since it was opened.
  [[nodiscard]] bool has_changed() const noexcept;

 private:
  FileDescriptor file_;
  mode_t mode_ = 0;
  timespec modified_{};
  std::span<const std::byte> bytes_;
};

}  // namespace flashbias::cache
