#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>

#include "flashbias/cache.hpp"
#include "tests/cache/sample_entry.hpp"
#include "tests/captured_stderr.hpp"
#include "tests/errors.hpp"
#include "tests/temporary_directory.hpp"

using namespace flashbias;
using namespace flashbias::cache;
using testing::sample_entry;
using testing::says;
using testing::TemporaryDirectory;
namespace fs = std::filesystem;

namespace {

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write(const fs::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

struct Damage {
  const char* description;
  std::function<void(const fs::path& entry)> inflict;
  const char* problem;
};

const std::vector<Damage> kDamages = {
    {"a truncated cubin",
     [](const fs::path& entry) {
       const auto cubin = read(entry / "kernel.cubin");
       write(entry / "kernel.cubin", cubin.substr(0, cubin.size() - 1));
     },
     "the cubin's size"},
    {"a flipped bit in the cubin",
     [](const fs::path& entry) {
       auto cubin = read(entry / "kernel.cubin");
       cubin[cubin.size() / 2] ^= 1;
       write(entry / "kernel.cubin", cubin);
     },
     "the cubin's SHA-256"},
    {"an empty cubin", [](const fs::path& entry) { write(entry / "kernel.cubin", ""); }, "the cubin's size is 0"},
    {"no cubin", [](const fs::path& entry) { fs::remove(entry / "kernel.cubin"); }, "cannot open kernel.cubin"},
    {"an edited source", [](const fs::path& entry) { write(entry / "kernel.cu", "edited"); }, "the source's SHA-256"},
    {"an empty manifest", [](const fs::path& entry) { write(entry / "manifest.json", ""); }, "malformed"},
    {"a manifest of an older format",
     [](const fs::path& entry) {
       auto manifest = read(entry / "manifest.json");
       const std::string version = "\"format_version\": 1";
       manifest.replace(manifest.find(version), version.size(), "\"format_version\": 0");
       write(entry / "manifest.json", manifest);
     },
     "format_version 0"},
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

/// What a load that finds nothing sound writes to stderr.
std::string warning_of_load(const DiskStore& store, const std::string& key) {
  const testing::CapturedStderr captured;
  const bool found = store.load(key).has_value();
  const std::string warning = captured.text();
  CHECK_FALSE(found);
  return warning;
}

}  // namespace

TEST_CASE("a bad entry is reported, set aside, and makes way for a new one") {
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
    const std::string warning = warning_of_load(store, entry.key);
    CHECK(says(warning, "flashbias: warning: the cache entry " + (home.path() / entry.key).string() + " is bad ("));
    CHECK(says(warning, damage.problem));
    CHECK(std::count(warning.begin(), warning.end(), '\n') == 1);
    CHECK(set_aside_in(home.path(), entry.key) == 1);
    CHECK(store.list().empty());

    store.publish(entry);
    CHECK(store.load(entry.key).has_value());
    CHECK(set_aside_in(home.path(), entry.key) == 1);
    CHECK(store.clear() == 2);
    CHECK(set_aside_in(home.path(), entry.key) == 0);
  }
}
