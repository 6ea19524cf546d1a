#include <doctest/doctest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "flashbias/cache.hpp"
#include "tests/cache/sample_entry.hpp"
#include "tests/errors.hpp"
#include "tests/temporary_directory.hpp"
#include "tests/tools/command.hpp"

using namespace flashbias;
using nlohmann::json;
using testing::run_command;
using testing::sample_entry;
using testing::says;
using testing::TemporaryDirectory;

namespace {

/// A cache of two entries, one of which was loaded twice.
struct SampleCache {
  TemporaryDirectory home;
  std::string one = sample_entry("one").key;
  std::string two = sample_entry("two").key;

  SampleCache() {
    for (const char* source : {"one", "two"}) cache::DiskStore(home.path()).publish(sample_entry(source));
    for (int i = 0; i < 2; ++i) (void)cache::DiskStore(home.path()).load(one);
  }
  [[nodiscard]] testing::CommandResult run(const std::string& arguments) const {
    return run_command("cache " + arguments + " --cache '" + home.path().string() + "'");
  }
  [[nodiscard]] json run_json(const std::string& arguments) const {
    return json::parse(run(arguments + " --json").out);
  }
};

}  // namespace

TEST_CASE("cache list: sizes, ages, hits and architectures") {
  const SampleCache cache;
  const auto text = cache.run("list").out;
  CHECK(text.starts_with("key "));
  CHECK(says(text, cache.one.substr(0, 12) + "  sm_90a"));
  CHECK(says(text, "2 kernels in " + cache.home.path().string()));
  const auto entries = cache.run_json("list")["entries"];
  REQUIRE(entries.size() == 2);
  const auto& one = entries[0]["key"] == cache.one ? entries[0] : entries[1];
  CHECK(one["hits"] == 2);
  CHECK(one["bytes"].get<int>() > 100);
  CHECK(one["unused_seconds"].get<double>() <= one["age_seconds"].get<double>());
  CHECK(one["manifest"]["arch"] == "sm_90a");
}

TEST_CASE("cache show: the manifest and the source, by the beginning of a key") {
  const SampleCache cache;
  const auto text = cache.run("show " + cache.one.substr(0, 10)).out;
  CHECK(says(text, "key        " + cache.one));
  CHECK(says(text, "hits       2"));
  CHECK(says(text, "\"compiler_version\": \"13.0+65be0db3\""));
  CHECK(text.ends_with("}\n\none"));
  CHECK(cache.run_json("show " + cache.two)["source"] == "two");
  const auto none = cache.run("show 123x");
  CHECK(none.status == 1);
  CHECK(says(none.error, "0 keys in " + cache.home.path().string() + " begin with '123x', expected one"));
  std::filesystem::remove(cache.home.path() / cache.two / "kernel.cu");
  CHECK(says(cache.run("show " + cache.two).error, "is bad: cannot open kernel.cu"));
}

TEST_CASE("cache stats: sums by architecture and compiler") {
  const SampleCache cache;
  const auto stats = cache.run_json("stats");
  CHECK(stats["all"]["entries"] == 2);
  CHECK(stats["all"]["hits"] == 2);
  CHECK(stats["groups"]["sm_90a"] == stats["all"]);
  CHECK(stats["groups"]["NVRTC 13.0+65be0db3"] == stats["all"]);
  CHECK(stats["limit_bytes"] == 2ULL << 30U);
  CHECK(says(cache.run("stats").out, "of 2.0 GiB in " + cache.home.path().string()));
}

TEST_CASE("cache prune: to a size, by age, and never what is in use") {
  const SampleCache cache;
  CHECK(cache.run_json("prune")["removed"] == 0);
  CHECK(cache.run_json("prune --unused-days 1")["removed"] == 0);
  const auto bytes = cache.run_json("stats")["all"]["bytes"].get<std::uintmax_t>();
  CHECK(cache.run_json("prune --max-size " + std::to_string(bytes - 1))["removed"] == 1);
  CHECK(cache.run_json("list")["entries"][0]["key"] == cache.one);
  {
    const cache::DiskStore user(cache.home.path());
    REQUIRE(user.load(cache.one).has_value());
    const auto kept = cache.run_json("prune --max-size 0");
    CHECK(kept["removed"] == 0);
    CHECK(kept["in_use"] == 1);
    CHECK(says(cache.run("prune --max-size 0").out, "kept although due, since a process uses them: 1 kernel"));
  }
  CHECK(says(cache.run("prune --max-size 0").out, "removed 1 kernel and 0 leftovers"));
  const auto bad = cache.run("prune --max-size much");
  CHECK(bad.status == 1);
  CHECK(says(bad.error, "'much' is no size"));
}

TEST_CASE("cache prune: the limit holds where neither a size nor an age is given") {
  const SampleCache cache;
  const std::string arguments = " --cache '" + cache.home.path().string() + "'";
  CHECK(says(run_command("cache prune --help").out, "without --unused-days"));
  CHECK(run_command("cache prune --unused-days 1" + arguments, "FLASHBIAS_CACHE_SIZE=0").status == 0);
  CHECK(cache.run_json("list")["entries"].size() == 2);
  CHECK(run_command("cache prune" + arguments, "FLASHBIAS_CACHE_SIZE=0").status == 0);
  CHECK(cache.run_json("list")["entries"].empty());
}

TEST_CASE("cache clear: kernels and leftovers are told apart") {
  const SampleCache cache;
  std::filesystem::create_directory(cache.home.path() / (cache.one + ".bad-0123456789abcdef"));
  const auto cleared = cache.run_json("clear");
  CHECK(cleared["removed"] == 2);
  CHECK(cleared["leftovers"] == 1);
  CHECK(cleared["bytes_left"] == 0);
  CHECK(says(cache.run("clear").out, "removed 0 kernels and 0 leftovers"));
}

TEST_CASE("cache prune: an age beyond all clocks removes nothing, and what is no age is refused") {
  const SampleCache cache;
  CHECK(cache.run_json("prune --unused-days 2000000000")["removed"] == 0);
  for (const char* days : {"-1", "x", "1.5", "99999999999"}) {
    const auto refused = cache.run("prune --unused-days " + std::string(days));
    CHECK(refused.status == 2);
    CHECK(says(refused.error,
               "--unused-days: '" + std::string(days) + "'; expected a whole number from 0 to 2147483647"));
  }
  CHECK(cache.run_json("list")["entries"].size() == 2);
}

TEST_CASE("cache: what is no directory is refused; a name that is no UTF-8 is shown") {
  CHECK(says(run_command("cache list --cache /etc/passwd").error, "/etc/passwd is no directory"));
  CHECK(says(run_command("cache list --cache ''").error, "--cache: it is empty"));
  const auto strange = run_command("cache list --json --cache $(printf '/nonexistent/\\377')");
  CHECK(strange.status == 0);
  CHECK(says(json::parse(strange.out)["directory"].get<std::string>(), "/nonexistent/\xef\xbf\xbd"));
}
