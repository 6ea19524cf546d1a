#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <string>

#include "flashbias/cache.hpp"
#include "tests/cache/forked_process.hpp"
#include "tests/cache/sample_entry.hpp"
#include "tests/errors.hpp"
#include "tests/file_text.hpp"
#include "tests/temporary_directory.hpp"

using namespace flashbias;
using namespace flashbias::cache;
using testing::file_text;
using testing::sample_entry;
using testing::says;
using testing::TemporaryDirectory;
namespace fs = std::filesystem;

namespace {

void write(const fs::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

/// Replaces the cubin by another that its manifest describes.
void replace_cubin(const fs::path& directory, const std::vector<std::byte>& cubin) {
  Entry entry;
  entry.cubin = cubin;
  entry.manifest = parse_manifest(file_text(directory / "manifest.json"));
  testing::describe_cubin(entry);
  write(directory / "manifest.json", to_json(entry.manifest));
  write(directory / "kernel.cubin", {reinterpret_cast<const char*>(cubin.data()), cubin.size()});
}

struct Damage {
  const char* description;
  std::function<void(const fs::path& entry)> inflict;
  const char* problem;
};

const std::vector<Damage> kDamages = {
    {"a truncated cubin",
     [](const fs::path& entry) {
       const auto cubin = file_text(entry / "kernel.cubin");
       write(entry / "kernel.cubin", cubin.substr(0, cubin.size() - 1));
     },
     "the cubin's size"},
    {"a flipped bit in the cubin",
     [](const fs::path& entry) {
       auto cubin = file_text(entry / "kernel.cubin");
       cubin[cubin.size() / 2] ^= 1;
       write(entry / "kernel.cubin", cubin);
     },
     "the cubin's SHA-256"},
    {"an empty cubin", [](const fs::path& entry) { write(entry / "kernel.cubin", ""); }, "the cubin's size is 0"},
    {"no cubin", [](const fs::path& entry) { fs::remove(entry / "kernel.cubin"); }, "cannot open kernel.cubin"},
    {"a cubin of another architecture, its checksums in order",
     [](const fs::path& entry) { replace_cubin(entry, testing::sample_cubin(80, "other")); },
     "the cubin is for sm_80, expected sm_90a"},
    {"a foreign ELF file, its checksums in order",
     [](const fs::path& entry) {
       const std::string program = file_text("/proc/self/exe");
       const auto* bytes = reinterpret_cast<const std::byte*>(program.data());
       replace_cubin(entry, {bytes, bytes + 4096});
     },
     "expected 190 (CUDA)"},
    {"a text in place of the cubin, its checksums in order",
     [](const fs::path& entry) { replace_cubin(entry, std::vector<std::byte>(100, std::byte{'x'})); }, "no ELF file"},
    {"a cubin without end", [](const fs::path& entry) { fs::resize_file(entry / "kernel.cubin", 1ULL << 40U); },
     "expected at most"},
    {"a pipe in place of the cubin",
     [](const fs::path& entry) {
       fs::remove(entry / "kernel.cubin");
       REQUIRE(mkfifo((entry / "kernel.cubin").c_str(), 0600) == 0);
     },
     "kernel.cubin is no regular file"},
    {"an edited source", [](const fs::path& entry) { write(entry / "kernel.cu", "edited"); }, "the source's SHA-256"},
    {"an empty manifest", [](const fs::path& entry) { write(entry / "manifest.json", ""); }, "malformed"},
    {"a manifest of an older format",
     [](const fs::path& entry) {
       auto manifest = file_text(entry / "manifest.json");
       const std::string version = "\"format_version\": 2";
       manifest.replace(manifest.find(version), version.size(), "\"format_version\": 1");
       write(entry / "manifest.json", manifest);
     },
     "format_version 1"},
    {"an empty directory",
     [](const fs::path& entry) {
       fs::remove_all(entry);
       fs::create_directory(entry);
     },
     "cannot open manifest.json"},
    {"a file in place of the directory",
     [](const fs::path& entry) {
       fs::remove_all(entry);
       write(entry, "");
     },
     "Not a directory"},
    {"the files of another sound entry",
     [](const fs::path& entry) {
       const Entry other = sample_entry("other");
       DiskStore(entry.parent_path()).publish(other);
       fs::remove_all(entry);
       fs::rename(entry.parent_path() / other.key, entry);
     },
     "the key is"},
    {"the cubin of another sound entry",
     [](const fs::path& entry) {
       const auto cubin = sample_entry("two").cubin;
       write(entry / "kernel.cubin", {reinterpret_cast<const char*>(cubin.data()), cubin.size()});
     },
     "the cubin's SHA-256"},
    {"a link to a sound entry",
     [](const fs::path& entry) {
       fs::rename(entry, entry.string() + " moved");
       fs::create_directory_symlink(entry.string() + " moved", entry);
     },
     "Not a directory"},
    {"a link to a sound cubin",
     [](const fs::path& entry) {
       fs::rename(entry / "kernel.cubin", entry.parent_path() / "elsewhere");
       fs::create_symlink(entry.parent_path() / "elsewhere", entry / "kernel.cubin");
     },
     "cannot open kernel.cubin"},
};

std::size_t set_aside_in(const fs::path& directory, const std::string& key) {
  std::size_t count = 0;
  for (const auto& entry : fs::directory_iterator(directory)) {
    if (entry.path().filename().string().starts_with(key + ".bad-")) ++count;
  }
  return count;
}

/// Why a load finds nothing sound.
std::string problem_of_load(const DiskStore& store, const std::string& key) {
  Miss why;
  CHECK_FALSE(store.load(key, /*with_source=*/false, &why).has_value());
  CHECK(why.reason == MissReason::corrupt);
  return why.detail;
}

/// Leaves this process so many more descriptors.
bool leave_descriptors(rlim_t count) {
  const int next = dup(STDERR_FILENO);
  close(next);
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return false;
  limit.rlim_cur = static_cast<rlim_t>(next) + count;
  return setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

}  // namespace

TEST_CASE("a bad entry is told of, set aside, and makes way for a new one") {
  for (const auto& damage : kDamages) {
    CAPTURE(damage.description);
    const TemporaryDirectory home;
    const DiskStore store(home.path());
    const Entry entry = sample_entry("one");
    store.publish(entry);
    damage.inflict(home.path() / entry.key);

    const auto statuses = store.verify();
    REQUIRE(statuses.size() == 1);
    CHECK(says(statuses[0].problem, damage.problem));
    const std::string problem = problem_of_load(store, entry.key);
    CHECK(says(problem, damage.problem));
    CHECK(says(problem, "it is kept as " + entry.key + ".bad-"));
    CHECK(set_aside_in(home.path(), entry.key) == 1);
    CHECK(store.list().empty());

    store.publish(entry);
    CHECK(store.load(entry.key).has_value());
    CHECK(set_aside_in(home.path(), entry.key) == 1);
    const auto cleared = store.clear();
    CHECK(cleared.entries == 1);
    CHECK(cleared.leftovers == 1);
    CHECK(set_aside_in(home.path(), entry.key) == 0);
  }
}

TEST_CASE("any truncation and any flipped bit of a cubin is found") {
  const TemporaryDirectory home;
  const DiskStore store(home.path());
  const Entry entry = sample_entry("one");
  store.publish(entry);
  const fs::path file = home.path() / entry.key / "kernel.cubin";
  const std::string good = file_text(file);
  for (std::size_t at = 0; at < good.size(); ++at) {
    CAPTURE(at);
    write(file, good.substr(0, at));
    CHECK(store.verify().at(0).problem != "");
    std::string flipped = good;
    flipped[at] = static_cast<char>(flipped[at] ^ (1 << (at % 8)));
    write(file, flipped);
    CHECK(store.verify().at(0).problem != "");
  }
  write(file, good);
  CHECK(store.load(entry.key).has_value());
}

TEST_CASE("a sound entry that a process without descriptors cannot read stays") {
  const TemporaryDirectory home;
  const Entry entry = sample_entry("one");
  DiskStore(home.path()).publish(entry);
  for (rlim_t descriptors = 0; descriptors < 8; ++descriptors) {
    CAPTURE(descriptors);
    // Whatever the call that fails: the directory's, the entry's or one of its files'.
    CHECK(testing::ends_well(testing::fork_process([&] {
      if (!leave_descriptors(descriptors)) return false;
      Miss why;
      try {
        if (DiskStore(home.path()).load(entry.key, /*with_source=*/true, &why)) return true;
      } catch (const Error& error) {
        return says(error.what(), "Too many open files");
      }
      return why.reason == MissReason::unusable && says(why.detail, entry.key) &&
             says(why.detail, "Too many open files");
    })));
    CHECK(set_aside_in(home.path(), entry.key) == 0);
    CHECK(DiskStore(home.path()).load(entry.key).has_value());
  }
}

TEST_CASE("a sound entry that this user may not read stays" * doctest::skip(geteuid() != 0)) {
  constexpr uid_t kNobody = 65534;
  const TemporaryDirectory home;
  const Entry entry = sample_entry("one");
  DiskStore(home.path()).publish(entry);
  fs::permissions(home.path() / entry.key / "kernel.cubin", fs::perms::none);
  REQUIRE(chown(home.path().c_str(), kNobody, kNobody) == 0);
  REQUIRE(chown((home.path() / entry.key).c_str(), kNobody, kNobody) == 0);
  for (const auto& file : fs::directory_iterator(home.path() / entry.key)) {
    REQUIRE(chown(file.path().c_str(), kNobody, kNobody) == 0);
  }
  CHECK(testing::ends_well(testing::fork_process([&] {
    Miss why;
    return setuid(kNobody) == 0 && !DiskStore(home.path()).load(entry.key, /*with_source=*/false, &why) &&
           why.reason == MissReason::unusable && says(why.detail, "Permission denied");
  })));
  CHECK(set_aside_in(home.path(), entry.key) == 0);
}
