#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "flashbias/cache.hpp"
#include "tests/cache/sample_entry.hpp"
#include "tests/errors.hpp"
#include "tests/temporary_directory.hpp"

using namespace flashbias;
using namespace flashbias::cache;
using testing::message_of;
using testing::sample_entry;
using testing::says;
using testing::TemporaryDirectory;
namespace fs = std::filesystem;

TEST_CASE("a directory that others can write to is refused with its mode and the remedy") {
  const TemporaryDirectory home;
  const DiskStore store(home.path());
  const Entry entry = sample_entry("one");
  store.publish(entry);
  for (const mode_t mode : {0777U, 0770U, 0702U}) {
    REQUIRE(chmod(home.path().c_str(), mode) == 0);
    const auto message = message_of(ErrorCode::cache, [&] { (void)store.load(entry.key); });
    CHECK(says(message, (mode == 0777 ? "mode 0777" : mode == 0770 ? "mode 0770" : "mode 0702")));
    CHECK(says(message, "chmod go-w '" + home.path().string() + "'"));
    CHECK(says(message_of(ErrorCode::cache, [&] { store.publish(entry); }), "chmod go-w"));
    CHECK(says(message_of(ErrorCode::cache, [&] { (void)store.list(); }), "chmod go-w"));
    CHECK(says(message_of(ErrorCode::cache, [&] { (void)store.clear(); }), "chmod go-w"));
    CHECK_FALSE(store.lock(entry.key).has_value());
  }
  REQUIRE(chmod(home.path().c_str(), 0755) == 0);
  CHECK(store.load(entry.key).has_value());
}

TEST_CASE("the directory is its user's alone, whatever the umask and the end of its path") {
  for (const mode_t mask : {0022U, 0002U}) {
    for (const char* name : {"cache", "cache/", "cache//", "cache/.", "cache/./"}) {
      CAPTURE(mask);
      CAPTURE(name);
      const TemporaryDirectory home;
      const mode_t before = umask(mask);
      const DiskStore store(home.path() / name);
      store.publish(sample_entry("one"));
      umask(before);
      CHECK(store.directory() == home.path() / "cache");
      CHECK(static_cast<int>(fs::status(home.path() / "cache").permissions()) == 0700);
      CHECK(store.load(sample_entry("one").key).has_value());
    }
  }
  CHECK(DiskStore("/").directory() == "/");
}

TEST_CASE("a directory of another user is refused" * doctest::skip(geteuid() != 0)) {
  const TemporaryDirectory home;
  REQUIRE(chown(home.path().c_str(), 4321, 4321) == 0);
  const auto message = message_of(ErrorCode::cache, [&] { (void)DiskStore(home.path()).list(); });
  CHECK(says(message, "belongs to user 4321"));
  CHECK(says(message, "FLASHBIAS_CACHE_DIR"));
}

TEST_CASE("where there can be no directory, nothing is found, nothing locks and publishing says why") {
  const TemporaryDirectory home;
  std::ofstream(home.path() / "file").close();
  const Entry entry = sample_entry("one");
  for (const fs::path& directory : {home.path() / "file", home.path() / "file" / "cache", fs::path("/proc/cache")}) {
    CAPTURE(directory.string());
    const DiskStore store(directory);
    CHECK_FALSE(store.load(entry.key).has_value());
    CHECK_FALSE(store.lock(entry.key).has_value());
    CHECK(store.list().empty());
    const auto message = message_of(ErrorCode::cache, [&] { store.publish(entry); });
    CHECK(says(message, "cannot create the cache directory " + directory.string() + ": "));
    CHECK(says(message, "FLASHBIAS_CACHE_DIR"));
  }
}
