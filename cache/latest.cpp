#include "cache/latest.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include "cache/entry_directory.hpp"
#include "cache/entry_name.hpp"
#include "cache/record_lock.hpp"
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

bool leads_to_entry(const FileDescriptor& store, const FileDescriptor& configs, const std::string& name) {
  const auto key = read_key(configs, name);
  return key && open_entry(store, *key).is_open();
}

/// What has that name may be another by now, which leads to an entry. So it is looked at once more under a name that
/// nobody writes to, and put back where that is so and no newer one has come.
void remove_stale(const FileDescriptor& store, const FileDescriptor& configs, const std::string& name) {
  const std::string removed = unique_name(name, kRemoved);
  if (!rename_at(configs, name.c_str(), removed.c_str())) return;
  if (leads_to_entry(store, configs, removed)) {
    (void)linkat(configs.get(), removed.c_str(), configs.get(), name.c_str(), 0);
  }
  unlinkat(configs.get(), removed.c_str(), 0);
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
  // Tells that it is no leftover; the system forgets that with the process.
  const FileDescriptor locks = open_locks(store);
  if (locks.is_open()) (void)lock_exclusively(locks, LockKind::unfinished, unfinished);
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

void sweep_latest(const FileDescriptor& store, const std::filesystem::path& directory, const FileDescriptor& locks) {
  const FileDescriptor configs = open_configs(store);
  if (!configs.is_open()) return;
  for (const auto& name : names_in(directory / kConfigs, is_leftover)) {
    const bool is_being_written =
        is_unfinished(name) && try_lock_exclusively(locks, LockKind::unfinished, name) == LockResult::busy;
    if (!is_being_written) unlinkat(configs.get(), name.c_str(), 0);
  }
  for (const auto& name : names_in(directory / kConfigs, is_key)) {
    if (!leads_to_entry(store, configs, name)) remove_stale(store, configs, name);
  }
}

}  // namespace flashbias::cache
