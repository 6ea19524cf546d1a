#pragma once

#include <filesystem>
#include <optional>

#include "cache/file_descriptor.hpp"

/// The directory that holds all entries. Whoever can write to it chooses what runs on the GPU, so one that others than
/// its user (or root) can write to is refused: Error(cache) with its mode or owner and the remedy.
namespace flashbias::cache {

/// Nothing where the directory does not exist. Throws Error(cache) where it is refused or cannot be opened.
[[nodiscard]] std::optional<FileDescriptor> open_store(const std::filesystem::path& directory);

/// Creates the directory (mode 0700) where it does not exist. Throws Error(cache).
[[nodiscard]] FileDescriptor create_store(const std::filesystem::path& directory);

}  // namespace flashbias::cache
