#include <doctest/doctest.h>
#include <fcntl.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <set>
#include <string>
#include <thread>

#include "cache/record_lock.hpp"
#include "flashbias/cache.hpp"
#include "tests/cache/sample_entry.hpp"
#include "tests/temporary_directory.hpp"

using namespace flashbias;
using namespace flashbias::cache;
using testing::sample_entry;
using testing::TemporaryDirectory;
namespace fs = std::filesystem;

namespace {

/// Published by a store that is gone: nobody uses it.
std::string publish(const fs::path& directory, const std::string& source) {
  const Entry entry = sample_entry(source);
  DiskStore(directory).publish(entry);
  return entry.key;
}

void load(const fs::path& directory, const std::string& key) { REQUIRE(DiskStore(directory).load(key).has_value()); }

std::set<std::string> keys_in(const fs::path& directory) {
  std::set<std::string> keys;
  for (const auto& status : DiskStore(directory).list()) keys.insert(status.key);
  return keys;
}

std::uintmax_t bytes_in(const fs::path& directory) {
  std::uintmax_t bytes = 0;
  for (const auto& status : DiskStore(directory).list()) bytes += status.bytes;
  return bytes;
}

}  // namespace

TEST_CASE("a listing tells sizes, hits and times") {
  const TemporaryDirectory home;
  const Entry entry = sample_entry("one");
  publish(home.path(), "one");
  auto status = DiskStore(home.path()).list().at(0);
  CHECK(status.hits == 0);
  CHECK(status.bytes == entry.cubin.size() + entry.source.size() + to_json(entry.manifest).size());
  const auto published = status.published;
  CHECK(status.last_used >= published);
  load(home.path(), entry.key);
  load(home.path(), entry.key);
  status = DiskStore(home.path()).list().at(0);
  CHECK(status.hits == 2);
  CHECK(status.published == published);
  CHECK(status.last_used > published);
}

TEST_CASE("pruning to a size removes what was used longest ago") {
  const TemporaryDirectory home;
  const auto one = publish(home.path(), "one");
  const auto two = publish(home.path(), "two");
  const auto six = publish(home.path(), "six");
  load(home.path(), one);
  const auto result = DiskStore(home.path()).prune({.bytes = bytes_in(home.path()) - 1});
  CHECK(result.entries == 1);
  CHECK(keys_in(home.path()) == std::set{one, six});
  CHECK(result.bytes_left == bytes_in(home.path()));
  CHECK(DiskStore(home.path()).prune({.bytes = 0}).entries == 2);
  CHECK(keys_in(home.path()).empty());
}

TEST_CASE("pruning by age leaves what was used since") {
  const TemporaryDirectory home;
  const auto one = publish(home.path(), "one");
  const auto two = publish(home.path(), "two");
  fs::last_write_time(home.path() / two / "uses", fs::file_time_type::clock::now() - std::chrono::hours(48));
  CHECK(DiskStore(home.path()).prune({.unused_for = std::chrono::hours(72)}).entries == 0);
  CHECK(DiskStore(home.path()).prune({.unused_for = std::chrono::hours(24)}).entries == 1);
  CHECK(keys_in(home.path()) == std::set{one});
}

TEST_CASE("an entry in use is not removed, until its user is gone") {
  const TemporaryDirectory home;
  const auto one = publish(home.path(), "one");
  const auto two = publish(home.path(), "two");
  {
    const DiskStore user(home.path());
    REQUIRE(user.load(one).has_value());
    const auto result = user.prune({.bytes = 0});
    CHECK(result.entries == 1);
    CHECK(result.in_use == 1);
    CHECK(keys_in(home.path()) == std::set{one});
    const DiskStore copy = user;  // NOLINT(performance-unnecessary-copy-initialization): what is tested
  }
  CHECK(DiskStore(home.path()).prune({.bytes = 0}).entries == 1);
}

TEST_CASE("a store does not outgrow its limit, and what was just published stays") {
  const TemporaryDirectory home;
  const std::uintmax_t one_entry = [&] {
    publish(home.path(), std::string(3000, 'a'));
    return bytes_in(home.path());
  }();
  const std::uintmax_t limit = 10 * one_entry;
  for (int i = 0; i < 40; ++i) {
    Entry entry = sample_entry(std::string(2990, 'a') + std::to_string(i + 1000));
    DiskStore(home.path(), limit).publish(entry);
    CHECK(bytes_in(home.path()) <= limit);
    CHECK(keys_in(home.path()).contains(entry.key));
  }
  CHECK(keys_in(home.path()).size() >= 7);
}

TEST_CASE("a clock that was set back removes nothing that was just used") {
  const TemporaryDirectory home;
  const auto one = publish(home.path(), "one");
  const auto two = publish(home.path(), "two");
  // Both were published when the clock was ten years ahead, and so was what the store takes for the time.
  const auto ahead = fs::file_time_type::clock::now() + std::chrono::hours(24 * 3650);
  fs::last_write_time(home.path() / one / "uses", ahead);
  fs::last_write_time(home.path() / two / "uses", ahead + std::chrono::seconds(1));
  fs::last_write_time(home.path() / "locks", ahead + std::chrono::seconds(1));
  load(home.path(), one);
  CHECK(DiskStore(home.path()).prune({.bytes = bytes_in(home.path()) - 1}).entries == 1);
  CHECK(keys_in(home.path()) == std::set{one});
}

TEST_CASE("the key last published for a config is known, and forgotten with the cache") {
  const TemporaryDirectory home;
  const DiskStore store(home.path());
  Entry entry = sample_entry("one");
  CHECK_FALSE(store.latest_key(entry.manifest.config).has_value());
  store.publish(entry);
  CHECK(store.latest_key(entry.manifest.config) == entry.key);
  CHECK(store.manifest(entry.key)->cubin_sha256 == entry.manifest.cubin_sha256);
  CHECK_FALSE(store.latest_key("another").has_value());
  CHECK_FALSE(store.manifest(sample_entry("two").key).has_value());
  store.clear();
  CHECK_FALSE(store.latest_key(entry.manifest.config).has_value());
}

TEST_CASE("pruning removes what tells of entries that are gone, and what a dead process left there") {
  const TemporaryDirectory home;
  const auto one = publish(home.path(), "one");
  publish(home.path(), "two");
  const fs::path configs = home.path() / "configs";
  fs::copy_file(*fs::directory_iterator(configs), configs / (one + ".new-0123456789abcdef"));
  REQUIRE(std::distance(fs::directory_iterator(configs), {}) == 3);
  (void)DiskStore(home.path()).prune({});
  CHECK(std::distance(fs::directory_iterator(configs), {}) == 2);
  CHECK(DiskStore(home.path()).latest_key(sample_entry("one").manifest.config) == one);
  fs::remove_all(home.path() / one);
  (void)DiskStore(home.path()).prune({});
  CHECK_FALSE(DiskStore(home.path()).latest_key(sample_entry("one").manifest.config).has_value());
  CHECK(DiskStore(home.path()).latest_key(sample_entry("two").manifest.config).has_value());
}

TEST_CASE("pruning waits for whoever is at it, and then does what it was asked") {
  const TemporaryDirectory home;
  publish(home.path(), "one");
  const FileDescriptor directory(open(home.path().c_str(), O_RDONLY | O_DIRECTORY));
  const FileDescriptor locks = open_locks(directory);
  REQUIRE(lock_exclusively(locks, LockKind::eviction, ""));
  std::atomic<bool> done = false;
  PruneResult result;
  std::jthread pruner([&] {
    result = DiskStore(home.path()).prune({.bytes = 0});
    done = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  CHECK_FALSE(done);
  // A publication does not wait.
  DiskStore(home.path(), 1).publish(sample_entry("two"));
  CHECK(keys_in(home.path()).size() == 2);
  unlock(locks, LockKind::eviction, "");
  pruner.join();
  CHECK(result.entries == 2);
  CHECK(keys_in(home.path()).empty());
}

TEST_CASE("a sweep leaves the hint that somebody is writing") {
  const TemporaryDirectory home;
  const DiskStore store(home.path());
  const auto one = publish(home.path(), "one");
  const fs::path configs = home.path() / "configs";
  const std::string unfinished = one + ".new-0123456789abcdef";
  fs::copy_file(*fs::directory_iterator(configs), configs / unfinished);
  const FileDescriptor directory(open(home.path().c_str(), O_RDONLY | O_DIRECTORY));
  {
    const FileDescriptor locks = open_locks(directory);
    REQUIRE(lock_exclusively(locks, LockKind::unfinished, unfinished));
    (void)store.prune({});
    CHECK(fs::exists(configs / unfinished));
  }
  (void)store.prune({});
  CHECK_FALSE(fs::exists(configs / unfinished));
}

TEST_CASE("an entry is remembered for a config that is written differently, and where the hint was lost") {
  const TemporaryDirectory home;
  const DiskStore store(home.path() / "cache");
  const Entry entry = sample_entry("one");
  store.remember("another", entry.key);
  CHECK_FALSE(fs::exists(store.directory()));
  store.publish(entry);
  store.remember("another", entry.key);
  CHECK(store.latest_key("another") == entry.key);
  fs::remove_all(store.directory() / "configs");
  store.remember(entry.manifest.config, entry.key);
  CHECK(store.latest_key(entry.manifest.config) == entry.key);
}

TEST_CASE("a cache that is deleted while it is used is made anew") {
  const TemporaryDirectory home;
  const DiskStore store(home.path() / "cache");
  const Entry entry = sample_entry("one");
  store.publish(entry);
  REQUIRE(store.load(entry.key).has_value());
  const auto lock = store.lock(entry.key);
  fs::remove_all(home.path() / "cache");
  CHECK_FALSE(store.load(entry.key).has_value());
  CHECK(store.list().empty());
  CHECK(store.prune({.bytes = 0}).entries == 0);
  store.publish(entry);
  REQUIRE(store.load(entry.key).has_value());
  CHECK(DiskStore(home.path() / "cache").prune({.bytes = 0}).in_use == 1);
}

TEST_CASE("links that were planted in the cache are not followed") {
  const TemporaryDirectory home;
  const TemporaryDirectory elsewhere;
  const DiskStore store(home.path());
  const Entry entry = sample_entry("one");
  for (const char* name : {"locks", "published", "configs"}) {
    fs::create_symlink(elsewhere.path() / name, home.path() / name);
  }
  store.publish(entry);
  fs::remove(home.path() / entry.key / "uses");
  fs::create_symlink(elsewhere.path() / "uses", home.path() / entry.key / "uses");
  CHECK(store.load(entry.key).has_value());
  store.clear();
  CHECK(fs::is_empty(elsewhere.path()));
}
