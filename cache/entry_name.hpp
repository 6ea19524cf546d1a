#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

/// Names in the store: an entry's is its key, and on the way in and out `<key><stage><16 hex digits>`.
namespace flashbias::cache {

inline constexpr std::string_view kUnfinished = ".new-";  ///< before its publication
inline constexpr std::string_view kSetAside = ".bad-";    ///< failed its checks
inline constexpr std::string_view kRemoved = ".old-";     ///< about to be deleted

inline constexpr std::size_t kKeyLength = 64;

/// A name that nobody else takes, on any host that shares the directory.
[[nodiscard]] std::string unique_name(std::string_view key, std::string_view stage);

[[nodiscard]] bool is_key(std::string_view name);
/// An entry on the way in or out: unfinished, set aside or removed.
[[nodiscard]] bool is_leftover(std::string_view name);
[[nodiscard]] bool is_unfinished(std::string_view name);
/// A leftover that is unfinished or removed.
[[nodiscard]] bool is_dead_weight(std::string_view name);

/// The key in front of a name.
[[nodiscard]] std::string_view key_of(std::string_view name);

/// Names in a directory that satisfy a predicate, sorted.
[[nodiscard]] std::vector<std::string> names_in(const std::filesystem::path& directory,
                                                bool (*predicate)(std::string_view name));

}  // namespace flashbias::cache
