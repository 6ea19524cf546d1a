#pragma once

#include <string>

#include "cache/file_descriptor.hpp"
#include "flashbias/cache.hpp"

/// The directory of one entry: kernel.cubin, kernel.cu and manifest.json, never changed once published, and `uses`.
namespace flashbias::cache {

/// Opens an entry of the store to read it. A link is not followed; it fails later, being no directory. Where there is
/// none, gives a closed descriptor and leaves errno.
[[nodiscard]] FileDescriptor open_entry(const FileDescriptor& store, const std::string& key);

/// Throws Error(cache) with what is wrong where the parts of an entry do not belong together: the manifest describes
/// the cubin and the source, and with them makes the key.
void check_entry(const Entry& entry);

/// Throws Error(cache) with what is wrong.
[[nodiscard]] Manifest read_manifest(const FileDescriptor& directory);

/// The entry with this key, checked. Throws Error(cache) with what is wrong.
[[nodiscard]] Entry read_entry(const FileDescriptor& directory, const std::string& key);

/// Bytes of an entry's files, and their times; zeros for what is not there.
struct EntryUsage {
  std::uintmax_t bytes = 0;
  std::uintmax_t hits = 0;
  std::filesystem::file_time_type published{};
  std::filesystem::file_time_type last_used{};
};
[[nodiscard]] EntryUsage examine_usage(const FileDescriptor& directory) noexcept;

/// Writes into an empty directory and waits until all is on the disk. Throws Error(cache).
void write_entry(const FileDescriptor& directory, const Entry& entry);

}  // namespace flashbias::cache
