#pragma once

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <string>

#include "cache/file_descriptor.hpp"

/// What the store knows of the use of its entries: who has loaded one, how often, and when last.
namespace flashbias::cache {

/// An entry's file that is as long as the entry was loaded often, and as old as its publication or last load is.
inline constexpr const char* kUsesFile = "uses";

/// Marks of entries that must not be evicted; all go with the object or with the process.
class InUse {
 public:
  /// Waits while the entry is being evicted. Does nothing where there are no locks: whoever evicts finds that out, too.
  void hold(const FileDescriptor& store, const std::string& key);

 private:
  std::mutex mutex_;
  FileDescriptor locks_{-1};
};

/// Records a publication, which is a use: what is new is not the first to go. Does nothing where that fails.
void date_publication(const FileDescriptor& store, const FileDescriptor& entry);

/// Records a load. Does nothing where the directory cannot be written.
void count_use(const FileDescriptor& store, const FileDescriptor& entry);

}  // namespace flashbias::cache
