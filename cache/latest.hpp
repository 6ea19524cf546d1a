#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "cache/file_descriptor.hpp"

/// `configs/<SHA-256 of a config's text>` holds the key of the entry last published or found for it. It tells what a
/// miss missed and finds an entry where there is no compiler whose version could make its key. A hint: it may be
/// missing or stale.
namespace flashbias::cache {

inline constexpr const char* kConfigs = "configs";

[[nodiscard]] std::optional<std::string> read_latest(const FileDescriptor& store, const std::string& config);

/// Replaces it atomically. A failure is no error.
void write_latest(const FileDescriptor& store, const std::string& config, const std::string& key) noexcept;

/// Removes those that lead to no entry, and what processes that died left behind. `locks`: of the store; one process at
/// a time sweeps.
void sweep_latest(const FileDescriptor& store, const std::filesystem::path& directory, const FileDescriptor& locks);

}  // namespace flashbias::cache
