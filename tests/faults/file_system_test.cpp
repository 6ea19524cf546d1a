#include <doctest/doctest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "flashbias/cache.hpp"
#include "tests/cache/sample_entry.hpp"
#include "tests/errors.hpp"
#include "tests/faults/process.hpp"
#include "tests/temporary_directory.hpp"

using namespace flashbias;
using namespace flashbias::cache;
using testing::message_of;
using testing::Process;
using testing::ProcessSetting;
using testing::sample_entry;
using testing::says;
using testing::TemporaryDirectory;
namespace fs = std::filesystem;

namespace {

constexpr uid_t kNobody = 65534;

/// A file system in memory, mounted while it lives; not there where mounting is not allowed.
class SmallDisk {
 public:
  explicit SmallDisk(const char* size) {
    is_mounted_ = mount("tmpfs", directory_.path().c_str(), "tmpfs", 0, size) == 0;
    if (!is_mounted_) MESSAGE("not tested: mounting a tmpfs needs root");
  }
  ~SmallDisk() {
    if (is_mounted_) umount(directory_.path().c_str());
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  [[nodiscard]] bool is_mounted() const { return is_mounted_; }
  [[nodiscard]] const fs::path& path() const { return directory_.path(); }
  bool make_read_only() { return mount("tmpfs", path().c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, nullptr) == 0; }

 private:
  TemporaryDirectory directory_;
  bool is_mounted_ = false;
};

/// A worker that asks for a kernel with a stand-in for the compiler; what it says of the cache.
struct Served {
  bool served;
  std::string cache_problem;
};
Served ask(const fs::path& directory, const fs::path& log, uid_t user = 0) {
  Process process({"compile", directory, "16", log, "sleep"}, {.variables = {}, .user = user});
  const std::string problem = process.read_line();
  return {.served = process.succeeds(), .cache_problem = problem};
}

/// Whether there is neither an entry nor part of one.
bool is_clear(const DiskStore& store) {
  const auto cleared = store.clear();
  return cleared.entries == 0 && cleared.leftovers == 0;
}

/// A log that any user can write to.
fs::path open_log(const TemporaryDirectory& home) {
  const fs::path log = home.path() / "log";
  std::ofstream(log).close();
  REQUIRE(chmod(home.path().c_str(), 0755) == 0);
  REQUIRE(chmod(log.c_str(), 0666) == 0);
  return log;
}

}  // namespace

TEST_CASE("a full disk is told, leaves no part of an entry, and kernels are served all the same") {
  const SmallDisk disk("size=64k");
  if (!disk.is_mounted()) return;
  const DiskStore store(disk.path() / "cache");
  const Entry entry = sample_entry(std::string(200'000, 'x'));
  const auto message = message_of(ErrorCode::cache, [&] { store.publish(entry); });
  CHECK(says(message, "No space left on device"));
  CHECK(is_clear(store));

  const TemporaryDirectory home;
  std::ofstream(disk.path() / "filling") << std::string(100'000, 'x');
  const auto [served, problem] = ask(disk.path() / "cache", home.path() / "log");
  CHECK(served);
  CHECK(says(problem, "No space left on device"));
  fs::remove(disk.path() / "filling");
  CHECK(ask(disk.path() / "cache", home.path() / "log").cache_problem == "");
  CHECK(store.verify().at(0).problem == "");
}

TEST_CASE("where a file cannot grow as it must, nothing half-written stays, and kernels are served all the same") {
  const TemporaryDirectory home;
  const Entry entry = sample_entry("one");
  const fs::path cache = home.path() / "cache";
  std::size_t bytes = 0;
  while (!Process({"publish", cache, "one"}, {.variables = {}, .user = 0, .file_bytes = bytes}).succeeds()) {
    CAPTURE(bytes);
    CHECK(is_clear(DiskStore(cache)));
    bytes += 1 + bytes / 4;
  }
  CHECK(bytes > entry.source.size());
  CHECK(DiskStore(cache).verify().at(0).problem == "");
  DiskStore(cache).clear();

  Process process({"compile", cache, "16", home.path() / "log", "sleep"},
                  {.variables = {}, .user = 0, .file_bytes = 100});
  CHECK(says(process.read_line(), "cannot write kernel.cu: File too large"));
  CHECK(process.succeeds());
  CHECK(is_clear(DiskStore(cache)));

  CHECK_FALSE(Process({"pack", home.path() / "kernels.fbpack", "3"}, {.variables = {}, .user = 0, .file_bytes = 1000})
                  .succeeds());
  CHECK_FALSE(fs::exists(home.path() / "kernels.fbpack"));
  CHECK(std::distance(fs::directory_iterator(home.path()), {}) == 2);  // the cache and the log
}

TEST_CASE("a cache directory without permission to write serves what it has, and is no obstacle to the rest") {
  const TemporaryDirectory home;
  const fs::path log = open_log(home);
  const fs::path cache = home.path() / "cache";
  const uid_t user = geteuid() == 0 ? kNobody : 0;  // root is refused nothing
  fs::create_directory(cache);
  if (user != 0) REQUIRE(chown(cache.c_str(), user, user) == 0);
  CHECK(ask(cache, log, user).cache_problem == "");
  fs::permissions(cache, fs::perms(0500));
  const auto again = ask(cache, log, user);
  CHECK(again.served);
  CHECK(again.cache_problem == "");
  CHECK(fs::file_size(log) == 1);
  Process other({"compile", cache, "24", log, "sleep"}, {.variables = {}, .user = user});
  CHECK(says(other.read_line(), "cannot create a directory: Permission denied"));
  CHECK(other.succeeds());
  fs::permissions(cache, fs::perms(0700));
}

TEST_CASE("a clock that is set back ten years: what was used or published last stays longest") {
  const TemporaryDirectory home;
  const ProcessSetting ten_years_ahead{.variables = {"LD_PRELOAD=" FAULTY_LIBC, "FAULT_CLOCK=315360000"}};
  const auto run = [&](const char* command, const char* source, const ProcessSetting& setting = {}) {
    CHECK(Process({command, home.path(), source}, setting).succeeds());
  };
  for (const char* source : {"one", "two"}) run("publish", source);
  for (const char* source : {"one", "two"}) run("load", source, ten_years_ahead);
  run("load", "one");
  run("publish", "six");
  const auto bytes_of_all = DiskStore(home.path()).prune({}).bytes_left;
  CHECK(DiskStore(home.path()).prune({.bytes = bytes_of_all - 1}).entries == 1);
  CHECK_FALSE(DiskStore(home.path()).manifest(sample_entry("two").key).has_value());
  CHECK(DiskStore(home.path()).list().size() == 2);
}

TEST_CASE("an entry that cannot be removed fails no publication and keeps no other from being evicted") {
  const TemporaryDirectory home;
  const auto publish = [&](const char* source, const ProcessSetting& setting) {
    CHECK(Process({"publish", home.path(), source, "1"}, setting).succeeds());
  };
  const Entry stuck = sample_entry("stuck");
  const ProcessSetting faulty{.variables = {"LD_PRELOAD=" FAULTY_LIBC, "FAULT_STUCK=" + stuck.key}};
  publish("stuck", {});
  for (const char* source : {"one", "two", "six"}) {
    publish(source, faulty);
    const DiskStore store(home.path());
    CHECK(store.list().size() == 2);
    CHECK(store.manifest(stuck.key).has_value());
    CHECK(store.manifest(sample_entry(source).key).has_value());
  }

  Process prune({"prune", home.path()}, faulty);
  CHECK(says(prune.read_line(), "cannot remove " + (home.path() / stuck.key).string() + ": Operation not permitted"));
  CHECK(prune.succeeds());
  const auto left = DiskStore(home.path()).list();
  REQUIRE(left.size() == 1);
  CHECK(left[0].key == stuck.key);
}

TEST_CASE("a read-only cache serves what it has") {
  SmallDisk disk("size=4m");
  if (!disk.is_mounted()) return;
  const TemporaryDirectory home;
  CHECK(ask(disk.path() / "cache", home.path() / "log").served);
  REQUIRE(disk.make_read_only());
  const auto again = ask(disk.path() / "cache", home.path() / "log");
  CHECK(again.served);
  CHECK(again.cache_problem == "");
  CHECK(fs::file_size(home.path() / "log") == 1);
  const auto message =
      message_of(ErrorCode::cache, [&] { DiskStore(disk.path() / "cache").publish(sample_entry("new")); });
  CHECK(says(message, "Read-only file system"));
}

TEST_CASE("another user's cache is read where it may be, and is no obstacle where it may not" *
          doctest::skip(geteuid() != 0)) {
  const TemporaryDirectory home;
  const fs::path log = open_log(home);
  const fs::path cache = home.path() / "cache";
  CHECK(ask(cache, log).served);
  // Mode 0700: the user can open nothing.
  const auto shut = ask(cache, log, kNobody);
  CHECK(shut.served);
  CHECK(says(shut.cache_problem, "Permission denied"));
  CHECK(fs::file_size(log) == 2);
  // Made readable, it serves.
  fs::permissions(cache, fs::perms(0755));
  for (const auto& entry : fs::recursive_directory_iterator(cache)) {
    fs::permissions(entry.path(), fs::perms(entry.is_directory() ? 0755 : 0644));
  }
  const auto readable = ask(cache, log, kNobody);
  CHECK(readable.served);
  CHECK(readable.cache_problem == "");
  CHECK(fs::file_size(log) == 2);
}

TEST_CASE("a cache that others can write to is not used") {
  const TemporaryDirectory home;
  fs::create_directory(home.path() / "cache");
  fs::permissions(home.path() / "cache", fs::perms(0777));
  const auto [served, problem] = ask(home.path() / "cache", home.path() / "log");
  CHECK(served);
  CHECK(says(problem, "mode 0777"));
  CHECK(fs::is_empty(home.path() / "cache"));
}
