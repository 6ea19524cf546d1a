#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "flashbias/cache.hpp"
#include "tests/cache/forked_process.hpp"
#include "tests/cache/sample_entry.hpp"
#include "tests/temporary_directory.hpp"

using namespace flashbias;
using namespace flashbias::cache;
using testing::ends_well;
using testing::fork_process;
using testing::sample_entry;
using testing::TemporaryDirectory;
namespace fs = std::filesystem;

namespace {

constexpr int kRacers = 8;

/// The life of a compile: look, lock, look again, make, publish. A byte in `log` tells each making.
bool get(const DiskStore& store, const Entry& entry, const fs::path& log) {
  if (store.load(entry.key)) return true;
  const auto lock = store.lock(entry.key);
  if (!lock) return false;
  if (store.load(entry.key)) return true;
  std::ofstream(log, std::ios::app) << '.' << std::flush;
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  store.publish(entry);
  return store.load(entry.key)->cubin == entry.cubin;
}

}  // namespace

TEST_CASE("threads that race for a key make it once") {
  const TemporaryDirectory home;
  const DiskStore store(home.path() / "cache");
  const Entry entry = sample_entry("one");
  std::atomic<int> served = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < kRacers; ++i) {
      threads.emplace_back([&] { served += get(store, entry, home.path() / "log") ? 1 : 0; });
    }
  }
  CHECK(served == kRacers);
  CHECK(fs::file_size(home.path() / "log") == 1);
}

TEST_CASE("processes that race for a key make it once") {
  const TemporaryDirectory home;
  const DiskStore store(home.path() / "cache");
  const Entry entry = sample_entry("one");
  std::vector<pid_t> children;
  for (int i = 0; i < kRacers; ++i) {
    children.push_back(fork_process([&] { return get(store, entry, home.path() / "log"); }));
  }
  for (const pid_t child : children) CHECK(ends_well(child));
  CHECK(fs::file_size(home.path() / "log") == 1);
}

TEST_CASE("processes that publish a key without a lock leave one sound entry") {
  const TemporaryDirectory home;
  const DiskStore store(home.path() / "cache");
  const Entry entry = sample_entry("one");
  std::vector<pid_t> children;
  for (int i = 0; i < kRacers; ++i) {
    children.push_back(fork_process([&] {
      store.publish(entry);
      return store.load(entry.key).has_value();
    }));
  }
  for (const pid_t child : children) CHECK(ends_well(child));
  CHECK(store.verify().at(0).problem.empty());
  CHECK(store.clear().entries == 1);
}

TEST_CASE("an entry that goes while it is read is not taken for a bad one") {
  const TemporaryDirectory home;
  const DiskStore store(home.path() / "cache");
  const Entry entry = sample_entry(std::string(100'000, 'x'));
  std::atomic<bool> done = false;
  {
    const std::jthread reader([&] {
      while (!done) (void)store.load(entry.key);
    });
    for (int i = 0; i < 100; ++i) {
      store.publish(entry);
      // As clear() does, which would also remove what the reader had set aside.
      fs::rename(store.directory() / entry.key, store.directory() / "removed");
      fs::remove_all(store.directory() / "removed");
    }
    done = true;
  }
  CHECK(store.list().empty());
  CHECK(store.clear().leftovers == 0);
}

TEST_CASE("the lock of a process that dies is free again") {
  const TemporaryDirectory home;
  const DiskStore store(home.path());
  const std::string key = sample_entry("one").key;
  const pid_t child = fork_process([&] {
    const auto lock = store.lock(key);
    raise(SIGKILL);
    return false;
  });
  CHECK_FALSE(ends_well(child));
  CHECK(store.lock(key).has_value());
}

TEST_CASE("a lock holds up its own key only, until it goes") {
  const TemporaryDirectory home;
  const DiskStore store(home.path());
  auto held = store.lock(sample_entry("one").key);
  REQUIRE(held.has_value());
  CHECK(store.lock(sample_entry("two").key).has_value());

  std::atomic<bool> entered = false;
  std::jthread waiter([&] {
    const auto lock = store.lock(sample_entry("one").key);
    entered = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  CHECK_FALSE(entered);
  held.reset();
  waiter.join();
  CHECK(entered);
}
