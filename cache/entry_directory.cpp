#include "cache/entry_directory.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <string_view>

#include "cache/cubin_header.hpp"
#include "cache/limits.hpp"
#include "cache/usage.hpp"
#include "flashbias/error.hpp"

namespace flashbias::cache {
namespace {

constexpr const char* kCubinFile = "kernel.cubin";
constexpr const char* kSourceFile = "kernel.cu";
constexpr const char* kManifestFile = "manifest.json";

template <class Value>
void expect(std::string_view what, const Value& found, const Value& expected) {
  if (found == expected) return;
  throw Error(ErrorCode::cache, fmt::format("{} is {}, expected {}", what, found, expected));
}

}  // namespace

FileDescriptor open_entry(const FileDescriptor& store, const std::string& key) {
  return open_at(store, key.c_str(), O_PATH | O_NOFOLLOW);
}

void check_entry(const Entry& entry) {
  const Manifest& manifest = entry.manifest;
  expect("the cubin's size", entry.cubin.size(), manifest.cubin_bytes);
  expect("the cubin's SHA-256", sha256_hex(entry.cubin.data(), entry.cubin.size()), manifest.cubin_sha256);
  check_cubin_header(entry.cubin, manifest.arch);
  expect("the source's SHA-256", sha256_hex(entry.source.data(), entry.source.size()), manifest.source_sha256);
  const std::string key = make_key({.source = entry.source,
                                    .options = manifest.options,
                                    .arch = manifest.arch,
                                    .compiler_version = manifest.compiler_version});
  expect("the key", entry.key, key);
}

Manifest read_manifest(const FileDescriptor& directory) {
  return parse_manifest(read_file(directory, kManifestFile, kMaxManifestBytes));
}

Entry read_entry(const FileDescriptor& directory, const std::string& key) {
  Entry entry;
  entry.key = key;
  entry.manifest = read_manifest(directory);
  const std::string cubin = read_file(directory, kCubinFile, kMaxCubinBytes);
  const auto* bytes = reinterpret_cast<const std::byte*>(cubin.data());
  entry.cubin.assign(bytes, bytes + cubin.size());
  entry.source = read_file(directory, kSourceFile, kMaxSourceBytes);
  check_entry(entry);
  return entry;
}

EntryUsage examine_usage(const FileDescriptor& directory) noexcept {
  const auto examine = [&](const char* name) {
    struct stat status {};
    if (fstatat(directory.get(), name, &status, AT_SYMLINK_NOFOLLOW) != 0) status = {};
    return status;
  };
  const auto time_of = [](const struct stat& status) {
    const auto since_epoch =
        std::chrono::seconds(status.st_mtim.tv_sec) + std::chrono::nanoseconds(status.st_mtim.tv_nsec);
    return std::chrono::file_clock::from_sys(std::chrono::sys_time<std::chrono::nanoseconds>(since_epoch));
  };
  EntryUsage usage;
  for (const char* name : {kCubinFile, kSourceFile}) usage.bytes += static_cast<std::uintmax_t>(examine(name).st_size);
  const struct stat manifest = examine(kManifestFile);
  const struct stat uses = examine(kUsesFile);
  usage.bytes += static_cast<std::uintmax_t>(manifest.st_size) + static_cast<std::uintmax_t>(uses.st_size);
  usage.hits = static_cast<std::uintmax_t>(uses.st_size);
  usage.published = time_of(manifest);
  usage.last_used = time_of(uses);
  return usage;
}

void write_entry(const FileDescriptor& directory, const Entry& entry) {
  const std::string manifest = to_json(entry.manifest);
  write_file(directory, kCubinFile, entry.cubin.data(), entry.cubin.size());
  write_file(directory, kSourceFile, entry.source.data(), entry.source.size());
  write_file(directory, kManifestFile, manifest.data(), manifest.size());
  write_file(directory, kUsesFile, "", 0, Durability::none);
  synchronise(directory);
}

}  // namespace flashbias::cache
