#include "cache/eviction.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <system_error>

#include "cache/entry_directory.hpp"
#include "cache/entry_name.hpp"
#include "cache/growth.hpp"
#include "cache/latest.hpp"
#include "cache/record_lock.hpp"
#include "flashbias/error.hpp"

namespace flashbias::cache {
namespace {

namespace fs = std::filesystem;

struct Candidate {
  std::string key;
  EntryUsage usage;
  bool done = false;
};

std::vector<Candidate> least_recently_used_first(const FileDescriptor& store, const fs::path& directory) {
  std::vector<Candidate> candidates;
  for (auto& key : names_in(directory, is_key)) {
    const FileDescriptor entry = open_entry(store, key);
    if (entry.is_open()) candidates.push_back({.key = std::move(key), .usage = examine_usage(entry)});
  }
  std::ranges::stable_sort(candidates, {}, [](const Candidate& candidate) { return candidate.usage.last_used; });
  return candidates;
}

/// Deletes an entry or a leftover, under another name first: whoever reads it meanwhile then finds it gone, not bad.
/// Returns false where it is gone already. Throws Error(cache).
bool remove_entry(const FileDescriptor& store, const fs::path& directory, const std::string& name) {
  const std::string removed = unique_name(key_of(name), kRemoved);
  if (!rename_at(store, name.c_str(), removed.c_str())) {
    if (errno == ENOENT) return false;
    throw_errno(fmt::format("remove {}", (directory / name).string()));
  }
  std::error_code error;
  fs::remove_all(directory / removed, error);
  if (error) {
    throw Error(ErrorCode::cache, fmt::format("cannot remove {}: {}", (directory / removed).string(), error.message()));
  }
  return true;
}

/// One walk over the store.
class Sweep {
 public:
  Sweep(const FileDescriptor& store, const fs::path& directory, const FileDescriptor& locks)
      : store_(store), directory_(directory), locks_(locks), entries_(least_recently_used_first(store, directory)) {
    for (const auto& entry : entries_) removal_.result.bytes_left += entry.usage.bytes;
  }

  [[nodiscard]] std::uintmax_t bytes() const { return removal_.result.bytes_left; }

  void remove_leftovers(bool (*which)(std::string_view name)) {
    for (const auto& name : names_in(directory_, which)) {
      if (is_unfinished(name) && is_being_written(name)) continue;
      const auto size = examine_usage(open_entry(store_, name)).bytes;
      if (!remove(name)) continue;
      ++removal_.result.leftovers;
      removal_.result.bytes += size;
    }
  }

  void remove_all() {
    for (auto& entry : entries_) remove(entry);
  }

  void remove_until(std::uintmax_t target) {
    for (auto& entry : entries_) {
      if (bytes() <= target) return;
      remove_unless_in_use(entry);
    }
  }

  void remove_used_before(fs::file_time_type time) {
    for (auto& entry : entries_) {
      if (entry.usage.last_used >= time) return;
      remove_unless_in_use(entry);
    }
  }

  void remove_stale_hints() { sweep_latest(store_, directory_, locks_); }

  [[nodiscard]] Removal removal() const { return removal_; }

 private:
  [[nodiscard]] bool is_being_written(const std::string& name) const {
    return try_lock_exclusively(locks_, LockKind::unfinished, name) == LockResult::busy;
  }

  bool lock_unused(const std::string& key) {
    const LockResult result = try_lock_exclusively(locks_, LockKind::in_use, key);
    if (result == LockResult::unsupported) removal_.unlockable = true;
    return result == LockResult::held;
  }

  /// False where it was gone before or cannot be removed, which the sweep tells when it is over.
  bool remove(const std::string& name) try {
    return remove_entry(store_, directory_, name);
  } catch (const Error& error) {
    if (removal_.result.problem.empty()) removal_.result.problem = error.what();
    return false;
  }

  void remove_unless_in_use(Candidate& entry) {
    if (entry.done) return;
    if (!lock_unused(entry.key)) {
      ++removal_.result.in_use;
      return;
    }
    remove(entry);
    unlock(locks_, LockKind::in_use, entry.key);
  }

  void remove(Candidate& entry) {
    const bool removed = remove(entry.key);
    entry.done = true;
    if (!removed && open_entry(store_, entry.key).is_open()) return;
    removal_.result.bytes_left -= entry.usage.bytes;
    if (!removed) return;
    ++removal_.result.entries;
    removal_.result.bytes += entry.usage.bytes;
  }

  const FileDescriptor& store_;
  const fs::path& directory_;
  const FileDescriptor& locks_;
  std::vector<Candidate> entries_;
  Removal removal_;
};

/// As long ago as file times reach, where the age is greater.
fs::file_time_type time_before_now(std::chrono::seconds age) {
  const auto now = fs::file_time_type::clock::now();
  return now - std::min(age, std::chrono::duration_cast<std::chrono::seconds>(now - fs::file_time_type::min()));
}

enum class WhileBusy : std::uint8_t { give_up, wait };

/// For one process at a time.
LockResult take_turn(const FileDescriptor& locks, WhileBusy while_busy) {
  if (while_busy == WhileBusy::give_up) return try_lock_exclusively(locks, LockKind::eviction, "");
  return lock_exclusively(locks, LockKind::eviction, "") ? LockResult::held : LockResult::unsupported;
}

/// Has `remove` remove from the store, once no other process is at it; or never, where one is and that is not waited
/// for.
template <class Remove>
Removal sweep(const FileDescriptor& store, const fs::path& directory, WhileBusy while_busy, Remove remove) {
  // A descriptor of its own: entries that this process uses are locked by another and so stay.
  const FileDescriptor locks = open_locks(store);
  if (!locks.is_open()) return {.result = {}, .unlockable = true};
  const LockResult result = take_turn(locks, while_busy);
  if (result != LockResult::held) return {.result = {}, .unlockable = result == LockResult::unsupported};
  reset_growth(store);
  Sweep sweep(store, directory, locks);
  remove(sweep);
  return sweep.removal();
}

}  // namespace

Removal prune(const FileDescriptor& store, const fs::path& directory, const PruneOptions& options) {
  return sweep(store, directory, WhileBusy::wait, [&](Sweep& sweep) {
    sweep.remove_leftovers(is_leftover);
    if (options.unused_for) sweep.remove_used_before(time_before_now(*options.unused_for));
    if (options.bytes) sweep.remove_until(*options.bytes);
    sweep.remove_stale_hints();
  });
}

Removal evict(const FileDescriptor& store, const fs::path& directory, std::uintmax_t limit, std::uintmax_t target) {
  return sweep(store, directory, WhileBusy::give_up, [&](Sweep& sweep) {
    const bool too_large = sweep.bytes() > limit;
    sweep.remove_leftovers(too_large ? is_leftover : is_dead_weight);
    if (!too_large) return;
    sweep.remove_until(target);
    sweep.remove_stale_hints();
  });
}

PruneResult clear(const FileDescriptor& store, const fs::path& directory) {
  const FileDescriptor locks = open_locks(store);
  (void)take_turn(locks, WhileBusy::wait);
  Sweep sweep(store, directory, locks);
  sweep.remove_leftovers(is_leftover);
  sweep.remove_all();
  sweep.remove_stale_hints();
  return sweep.removal().result;
}

}  // namespace flashbias::cache
