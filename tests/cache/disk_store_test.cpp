#include <doctest/doctest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "cache/record_lock.hpp"
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

namespace {

std::size_t files_in(const fs::path& directory) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(directory), fs::directory_iterator()));
}

/// Entries and what may become or was one; not what the store keeps beside them.
std::size_t entries_in(const fs::path& directory) {
  return static_cast<std::size_t>(std::count_if(fs::directory_iterator(directory), {}, [](const auto& entry) {
    return entry.path().filename().string().size() >= 64;
  }));
}

}  // namespace

TEST_CASE("an entry that was published is loaded") {
  const TemporaryDirectory home;
  const DiskStore store(home.path() / "deep" / "cache");
  const Entry entry = sample_entry("one");
  CHECK_FALSE(store.load(entry.key).has_value());
  CHECK_FALSE(fs::exists(store.directory()));
  store.publish(entry);

  const auto loaded = store.load(entry.key, /*with_source=*/true);
  REQUIRE(loaded.has_value());
  CHECK(loaded->key == entry.key);
  CHECK(loaded->cubin == entry.cubin);
  CHECK(loaded->source == entry.source);
  CHECK(loaded->manifest.config == entry.manifest.config);
  CHECK(store.load(entry.key)->source.empty());
  CHECK_FALSE(store.load(sample_entry("two").key).has_value());
}

TEST_CASE("an entry is four files, private to the user, and nothing unfinished stays behind") {
  const TemporaryDirectory home;
  const DiskStore store(home.path() / "cache");
  const Entry entry = sample_entry("one");
  store.publish(entry);
  CHECK(entries_in(store.directory()) == 1);
  CHECK(files_in(store.directory() / entry.key) == 4);
  const auto mode = [](const fs::path& path) { return static_cast<int>(fs::status(path).permissions()); };
  CHECK(mode(store.directory()) == 0700);
  CHECK(mode(store.directory() / entry.key) == 0700);
  CHECK(mode(store.directory() / entry.key / "kernel.cubin") == 0600);
  for (const char* file : {"locks", "published", "configs"}) CHECK((mode(store.directory() / file) & 077) == 0);
}

TEST_CASE("an entry that is already there stays") {
  const TemporaryDirectory home;
  const DiskStore store(home.path());
  Entry entry = sample_entry("one");
  store.publish(entry);
  entry.manifest.compile_ms = 7;
  store.publish(entry);
  CHECK(store.load(entry.key)->manifest.compile_ms == 123.5);
  CHECK(entries_in(store.directory()) == 1);
}

TEST_CASE("an entry whose parts do not belong together is not published") {
  const TemporaryDirectory home;
  const DiskStore store(home.path());
  const auto refusal = [&](const Entry& entry) { return message_of(ErrorCode::cache, [&] { store.publish(entry); }); };
  Entry entry = sample_entry("one");
  entry.cubin.pop_back();
  CHECK(says(refusal(entry), "the cubin's size is "));
  entry = sample_entry("one");
  entry.cubin.back() = std::byte{0};
  CHECK(says(refusal(entry), "the cubin's SHA-256 is "));
  entry = sample_entry("one");
  entry.source += " edited";
  CHECK(says(refusal(entry), "the source's SHA-256 is "));
  entry = sample_entry("one");
  entry.key = sample_entry("two").key;
  CHECK(says(refusal(entry), "the key is " + entry.key));
  entry = sample_entry("one");
  entry.cubin.clear();
  testing::describe_cubin(entry);
  CHECK(says(refusal(entry), "no ELF file"));
  CHECK(entries_in(store.directory()) == 0);
}

TEST_CASE("a listing has every entry, sorted by key") {
  const TemporaryDirectory home;
  const DiskStore store(home.path() / "cache");
  CHECK(store.list().empty());
  CHECK(store.verify().empty());
  for (const char* source : {"one", "two", "three"}) store.publish(sample_entry(source));
  for (const auto& statuses : {store.list(), store.verify()}) {
    REQUIRE(statuses.size() == 3);
    CHECK(statuses[0].key < statuses[1].key);
    CHECK(statuses[1].key < statuses[2].key);
    for (const auto& status : statuses) {
      CHECK(status.problem.empty());
      REQUIRE(status.manifest.has_value());
      CHECK(status.manifest->arch == "sm_90a");
    }
  }
}

TEST_CASE("clearing removes the entries and nothing else") {
  const TemporaryDirectory home;
  const DiskStore store(home.path());
  CHECK(store.clear().entries == 0);
  store.publish(sample_entry("one"));
  store.publish(sample_entry("two"));
  const fs::path foreign = home.path() / "notes.txt";
  const fs::path similar = home.path() / (sample_entry("one").key + " copy");
  std::ofstream(foreign) << "keep";
  fs::create_directory(similar);
  CHECK(store.clear().entries == 2);
  CHECK(store.list().empty());
  CHECK(fs::exists(foreign));
  CHECK(fs::exists(similar));
  CHECK(entries_in(home.path()) == 1);
}

TEST_CASE("clearing tells kernels from leftovers, and leaves what another process is writing") {
  const TemporaryDirectory home;
  const DiskStore store(home.path());
  store.publish(sample_entry("one"));
  const auto name = [](const char* source, const char* stage) {
    return sample_entry(source).key + stage + "0123456789abcdef";
  };
  for (const auto& leftover : {name("two", ".new-"), name("two", ".old-"), name("two", ".bad-")}) {
    fs::create_directory(home.path() / leftover);
  }
  const std::string unfinished = name("six", ".new-");
  fs::create_directory(home.path() / unfinished);
  const FileDescriptor directory(open(home.path().c_str(), O_RDONLY | O_DIRECTORY));
  {
    const FileDescriptor locks = open_locks(directory);
    REQUIRE(lock_exclusively(locks, LockKind::unfinished, unfinished));
    const auto cleared = store.clear();
    CHECK(cleared.entries == 1);
    CHECK(cleared.leftovers == 3);
    CHECK(cleared.bytes > sample_entry("one").cubin.size());
    CHECK(cleared.bytes_left == 0);
    CHECK(fs::exists(home.path() / unfinished));
  }
  const auto again = store.clear();
  CHECK(again.entries == 0);
  CHECK(again.leftovers == 1);
  CHECK(entries_in(home.path()) == 0);
}

TEST_CASE("clearing a link to a directory leaves what it leads to") {
  const TemporaryDirectory home;
  const TemporaryDirectory elsewhere;
  std::ofstream(elsewhere.path() / "kernel.cubin") << "keep";
  fs::create_directory_symlink(elsewhere.path(), home.path() / sample_entry("one").key);
  CHECK(DiskStore(home.path()).clear().entries == 1);
  CHECK(files_in(elsewhere.path()) == 1);
  CHECK(entries_in(home.path()) == 0);
}
