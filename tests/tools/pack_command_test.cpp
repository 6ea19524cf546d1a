#include <doctest/doctest.h>
#include <sys/stat.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "flashbias/cache.hpp"
#include "tests/cache/sample_entry.hpp"
#include "tests/errors.hpp"
#include "tests/file_text.hpp"
#include "tests/temporary_directory.hpp"
#include "tests/tools/command.hpp"

using namespace flashbias;
using nlohmann::json;
using testing::file_text;
using testing::run_command;
using testing::says;
using testing::TemporaryDirectory;
namespace fs = std::filesystem;

namespace {

std::string quoted(const fs::path& path) { return "'" + path.string() + "'"; }

json run_json(const std::string& arguments) { return json::parse(run_command(arguments + " --json").out); }

/// A cache directory with kernels for these head dimensions, and two architectures.
void compile(const fs::path& cache, const std::string& configs) {
  REQUIRE(run_command("precompile " + configs + " --arch sm_80,sm_90a --cache " + quoted(cache)).status == 0);
}

}  // namespace

TEST_CASE("pack: create, list, verify, extract and merge") {
  const TemporaryDirectory home;
  const fs::path cache = home.path() / "cache";
  const fs::path both = home.path() / "both.fbpack";
  const fs::path ampere = home.path() / "ampere.fbpack";
  compile(cache, "--config head_dim=16 --config 'head_dim=24 causal=true'");
  CHECK(run_json("pack create --cache " + quoted(cache) + " -o " + quoted(both))["kernels"] == 4);
  CHECK(run_json("pack create --arch sm_80 --cache " + quoted(cache) + " -o " + quoted(ampere))["kernels"] == 2);

  const auto listed = run_json("pack list " + quoted(both));
  CHECK(listed["kernels"].size() == 4);
  CHECK(listed["format_version"] == cache::kFormatVersion);
  CHECK(says(run_command("pack list " + quoted(ampere)).out, "head_dim=24"));
  CHECK(run_command("pack verify " + quoted(both)).status == 0);

  const fs::path extracted = home.path() / "extracted";
  CHECK(run_json("pack extract " + quoted(both) + " " + quoted(extracted))["extracted"] == 4);
  CHECK(run_command("cache verify --cache " + quoted(extracted)).status == 0);
  const fs::path again = home.path() / "again.fbpack";
  CHECK(run_command("pack create --cache " + quoted(extracted) + " -o " + quoted(again)).status == 0);
  CHECK(file_text(again) == file_text(both));

  const fs::path merged = home.path() / "merged.fbpack";
  const auto result = run_json("pack merge -o " + quoted(merged) + " " + quoted(ampere) + " " + quoted(both));
  CHECK(result["kernels"] == 4);
  CHECK(result["left_out"] == 2);
  CHECK(file_text(merged) == file_text(both));
}

TEST_CASE("pack create: of kernels of one source, the last published is packed") {
  const TemporaryDirectory home;
  const fs::path pack = home.path() / "kernels.fbpack";
  // Whichever key comes first, one of the two orders has the other published last.
  for (const auto& versions : {std::array{"13.0+old", "13.1+new"}, std::array{"13.1+new", "13.0+old"}}) {
    const fs::path cache = home.path() / "cache";
    fs::remove_all(cache);
    std::string last;
    for (const char* version : versions) {
      auto entry = testing::sample_entry("one");
      entry.manifest.compiler_version = version;
      entry.key = cache::make_key(testing::source_key_of(entry), version);
      last = entry.key;
      cache::DiskStore(cache).publish(entry);
      std::this_thread::sleep_for(std::chrono::milliseconds(20));  // longer than a tick of the file system's clock
    }
    CHECK(run_json("pack create --cache " + quoted(cache) + " -o " + quoted(pack))["left_out"] == 1);
    CHECK(run_json("pack list " + quoted(pack))["kernels"][0]["key"] == last);
  }
}

TEST_CASE("pack create: all entries that are bad are told in one run") {
  const TemporaryDirectory home;
  const fs::path cache = home.path() / "cache";
  for (const char* source : {"one", "two", "six"}) cache::DiskStore(cache).publish(testing::sample_entry(source));
  for (const char* source : {"one", "two"}) fs::resize_file(cache / testing::sample_entry(source).key / "kernel.cu", 1);
  const auto create = "pack create --cache " + quoted(cache) + " -o " + quoted(home.path() / "kernels.fbpack");
  const auto failed = run_command(create);
  CHECK(failed.status == 1);
  CHECK(says(failed.error, "2 kernels in " + cache.string() + " cannot be packed:"));
  for (const char* source : {"one", "two"})
    CHECK(says(failed.error, testing::sample_entry(source).key + ": the source"));
  CHECK(run_json(create)["kernels"] == 1);
}

TEST_CASE("pack: a pipe or a device is not replaced by a pack") {
  const TemporaryDirectory home;
  const fs::path pipe = home.path() / "pipe";
  REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
  cache::DiskStore(home.path() / "cache").publish(testing::sample_entry("one"));
  const auto refused = run_command("pack create --cache " + quoted(home.path() / "cache") + " -o " + quoted(pipe));
  CHECK(refused.status == 1);
  CHECK(says(refused.error, "cannot write the pack " + pipe.string() + ": it is no regular file; expected the name"));
  CHECK(fs::is_fifo(pipe));
}

TEST_CASE("pack extract: the directory holds what FLASHBIAS_CACHE_SIZE says") {
  const TemporaryDirectory home;
  const fs::path pack = home.path() / "one.fbpack";
  const fs::path cache = home.path() / "cache";
  REQUIRE(run_command("precompile --config head_dim=16 --arch sm_80 --cache " + quoted(home.path() / "made") +
                      " --pack " + quoted(pack))
              .status == 0);
  const auto older = testing::sample_entry("older");
  cache::DiskStore(cache).publish(older);
  const auto extract = "pack extract " + quoted(pack) + " " + quoted(cache);
  CHECK(run_command(extract).status == 0);
  CHECK(cache::DiskStore(cache).manifest(older.key).has_value());
  fs::remove_all(cache);

  cache::DiskStore(cache).publish(older);
  CHECK(run_command(extract, "FLASHBIAS_CACHE_SIZE=1KiB").status == 0);
  CHECK_FALSE(cache::DiskStore(cache).manifest(older.key).has_value());
  CHECK(cache::DiskStore(cache).list().size() == 1);
}

TEST_CASE("pack: what is bad or absent is an error") {
  const TemporaryDirectory home;
  const fs::path pack = home.path() / "bad.fbpack";
  const auto empty = run_command("pack create --cache " + quoted(home.path() / "none") + " -o " + quoted(pack));
  CHECK(empty.status == 1);
  CHECK(says(empty.error, "there are no kernels in"));
  CHECK_FALSE(fs::exists(pack));
  CHECK(says(run_command("pack create --arch sm_81 -o " + quoted(pack)).error, "unknown architecture 'sm_81'"));
  CHECK(says(run_command("pack create -o " + quoted(home.path())).error,
             "it is a directory; expected the name of a file"));
  CHECK(says(run_command("pack merge -o /nonexistent/m.fbpack " + quoted(pack)).error,
             "cannot write the pack /nonexistent/m.fbpack: its directory /nonexistent: No such file or directory"));

  cache::DiskStore(home.path() / "cache").publish(testing::sample_entry("one"));
  REQUIRE(run_command("pack create --cache " + quoted(home.path() / "cache") + " -o " + quoted(pack)).status == 0);
  // This flashbias writes another source for that config, so the entry cannot be made whole again.
  const auto foreign = run_command("pack extract " + quoted(pack) + " " + quoted(home.path() / "out"));
  CHECK(foreign.status == 1);
  CHECK(says(foreign.error, "1 of 1 kernels could not be extracted"));

  REQUIRE(chmod(pack.c_str(), 0644) == 0);
  std::fstream file(pack, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(-1, std::ios::end);
  file.put('x');
  file.close();
  const auto verified = run_command("pack verify " + quoted(pack));
  CHECK(verified.status == 1);
  CHECK(says(verified.error, "1 of 1 kernels are bad"));
  CHECK(run_command("pack list " + quoted(pack)).status == 0);
  CHECK(run_command("pack merge -o " + quoted(home.path() / "m.fbpack") + " " + quoted(pack)).status == 1);
}
