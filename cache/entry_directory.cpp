#include "cache/entry_directory.hpp"

#include <fmt/format.h>

#include <cstring>
#include <string_view>

#include "flashbias/error.hpp"

namespace flashbias::cache {
namespace {

constexpr const char* kCubinFile = "kernel.cubin";
constexpr const char* kSourceFile = "kernel.cu";
constexpr const char* kManifestFile = "manifest.json";
constexpr std::string_view kElfMagic = "\177ELF";

template <class Value>
void expect(std::string_view what, const Value& found, const Value& expected) {
  if (found == expected) return;
  throw Error(ErrorCode::cache, fmt::format("{} is {}, expected {}", what, found, expected));
}

bool is_elf(const std::vector<std::byte>& image) {
  return image.size() >= kElfMagic.size() && std::memcmp(image.data(), kElfMagic.data(), kElfMagic.size()) == 0;
}

}  // namespace

FileDescriptor open_entry(const FileDescriptor& store, const std::string& key) {
  return open_at(store, key.c_str(), O_PATH | O_NOFOLLOW);
}

void check_entry(const Entry& entry) {
  const Manifest& manifest = entry.manifest;
  expect("the cubin's size", entry.cubin.size(), manifest.cubin_bytes);
  expect("the cubin's SHA-256", sha256_hex(entry.cubin.data(), entry.cubin.size()), manifest.cubin_sha256);
  if (!is_elf(entry.cubin)) throw Error(ErrorCode::cache, "the cubin is no ELF file");
  expect("the source's SHA-256", sha256_hex(entry.source.data(), entry.source.size()), manifest.source_sha256);
  const std::string key = make_key({.source = entry.source,
                                    .options = manifest.options,
                                    .arch = manifest.arch,
                                    .compiler_version = manifest.compiler_version});
  expect("the key", entry.key, key);
}

Manifest read_manifest(const FileDescriptor& directory) { return parse_manifest(read_file(directory, kManifestFile)); }

Entry read_entry(const FileDescriptor& directory, const std::string& key) {
  Entry entry;
  entry.key = key;
  entry.manifest = read_manifest(directory);
  const std::string cubin = read_file(directory, kCubinFile);
  const auto* bytes = reinterpret_cast<const std::byte*>(cubin.data());
  entry.cubin.assign(bytes, bytes + cubin.size());
  entry.source = read_file(directory, kSourceFile);
  check_entry(entry);
  return entry;
}

void write_entry(const FileDescriptor& directory, const Entry& entry) {
  const std::string manifest = to_json(entry.manifest);
  write_file(directory, kCubinFile, entry.cubin.data(), entry.cubin.size());
  write_file(directory, kSourceFile, entry.source.data(), entry.source.size());
  write_file(directory, kManifestFile, manifest.data(), manifest.size());
  synchronise(directory);
}

}  // namespace flashbias::cache
