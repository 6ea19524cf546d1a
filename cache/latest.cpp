#include "cache/latest.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include "cache/entry_directory.hpp"
#include "cache/entry_name.hpp"
#include "flashbias/cache.hpp"
#include "flashbias/error.hpp"

namespace flashbias::cache {
namespace {

FileDescriptor open_configs(const FileDescriptor& store) {
  return open_at(store, kConfigs, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

std::string name_of(const std::string& config) { return sha256_hex(config.data(), config.size()); }

std::optional<std::string> read_key(const FileDescriptor& configs, const std::string& name) try {
  std::string key = read_file(configs, name.c_str(), kKeyLength);
  if (!is_key(key)) return std::nullopt;
  return key;
} catch (const Error&) {
  return std::nullopt;
}

}  // namespace

std::optional<std::string> read_latest(const FileDescriptor& store, const std::string& config) {
  const FileDescriptor configs = open_configs(store);
  return configs.is_open() ? read_key(configs, name_of(config)) : std::nullopt;
}

void write_latest(const FileDescriptor& store, const std::string& config, const std::string& key) noexcept try {
  mkdirat(store.get(), kConfigs, 0700);
  const FileDescriptor configs = open_configs(store);
  if (!configs.is_open()) return;
  const std::string name = name_of(config);
  const std::string unfinished = unique_name(name, kUnfinished);
  try {
    write_file(configs, unfinished.c_str(), key.data(), key.size(), Durability::none);
  } catch (const Error&) {
    unlinkat(configs.get(), unfinished.c_str(), 0);
    return;
  }
  if (!rename_at(configs, unfinished.c_str(), name.c_str())) unlinkat(configs.get(), unfinished.c_str(), 0);
} catch (const std::exception&) {
  return;  // without the hint, a miss is told to be for want of any entry
}

void sweep_latest(const FileDescriptor& store, const std::filesystem::path& directory) {
  const FileDescriptor configs = open_configs(store);
  if (!configs.is_open()) return;
  const auto is_of_ours = [](std::string_view name) { return is_key(name) || is_leftover(name); };
  for (const auto& name : names_in(directory / kConfigs, is_of_ours)) {
    const auto key = is_key(name) ? read_key(configs, name) : std::nullopt;
    if (!key || !open_entry(store, *key).is_open()) unlinkat(configs.get(), name.c_str(), 0);
  }
}

}  // namespace flashbias::cache
