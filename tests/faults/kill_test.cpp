#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <string>

#include "flashbias/pack.hpp"
#include "tests/cache/sample_entry.hpp"
#include "tests/faults/process.hpp"
#include "tests/temporary_directory.hpp"

using namespace flashbias;
using namespace flashbias::cache;
using testing::Process;
using testing::sample_entry;
using testing::TemporaryDirectory;
namespace fs = std::filesystem;

namespace {

/// Runs a worker in a new directory again and again, killed at its first step, its second and so on until it ends by
/// itself; `check` looks at what each leaves. How many steps there were.
int kill_at_every_step(const std::function<void(const fs::path&)>& prepare,
                       const std::function<std::vector<std::string>(const fs::path&)>& command,
                       const std::function<void(const fs::path&)>& check) {
  for (int step = 1;; ++step) {
    CAPTURE(step);
    const TemporaryDirectory home;
    prepare(home.path());
    Process worker(command(home.path()),
                   {.variables = {"LD_PRELOAD=" FAULTY_LIBC, "FAULT_KILL_AT=" + std::to_string(step)}});
    const bool was_killed = worker.is_killed();
    check(home.path());
    if (was_killed) continue;
    CHECK(worker.succeeds());
    return step - 1;
  }
}

void check_all_sound(const DiskStore& store) {
  for (const auto& status : store.verify()) CHECK(status.problem == "");
}

/// Nothing but what a store keeps beside its entries.
bool is_swept(const fs::path& directory) {
  return std::none_of(fs::directory_iterator(directory), {},
                      [](const fs::directory_entry& entry) { return entry.path().filename().string().size() >= 64; });
}

}  // namespace

TEST_CASE("a publication that is killed at any step leaves nothing bad, and the next one succeeds") {
  const Entry entry = sample_entry("one");
  const int steps = kill_at_every_step([](const fs::path&) {},
                                       [](const fs::path& home) {
                                         return std::vector<std::string>{"publish", home / "cache", "one"};
                                       },
                                       [&](const fs::path& home) {
                                         const DiskStore store(home / "cache");
                                         check_all_sound(store);
                                         const auto before = store.load(entry.key);
                                         if (before) CHECK(before->cubin == entry.cubin);
                                         CHECK(store.lock(entry.key).has_value());
                                         store.publish(entry);
                                         CHECK(store.load(entry.key)->cubin == entry.cubin);
                                         CHECK(store.verify().size() == 1);
                                         (void)DiskStore(home / "cache").prune({});
                                         CHECK(store.clear().entries == 1);
                                         CHECK(is_swept(home / "cache"));
                                       });
  MESSAGE("killed at ", steps, " steps");
  CHECK(steps >= 15);
}

TEST_CASE("a removal that is killed at any step leaves nothing bad, and the next one finishes it") {
  const int steps = kill_at_every_step(
      [](const fs::path& home) {
        for (const char* source : {"one", "two"}) DiskStore(home).publish(sample_entry(source));
      },
      [](const fs::path& home) {
        return std::vector<std::string>{"prune", home};
      },
      [](const fs::path& home) {
        check_all_sound(DiskStore(home));
        (void)DiskStore(home).prune({.bytes = 0});
        CHECK(is_swept(home));
      });
  MESSAGE("killed at ", steps, " steps");
  CHECK(steps >= 10);
}

TEST_CASE("a load that is killed at any step leaves what was sound, and a bad entry makes way for a new one") {
  const Entry sound = sample_entry("sound");
  const Entry bad = sample_entry("bad");
  for (const Entry& wanted : {sound, bad}) {
    kill_at_every_step(
        [&](const fs::path& home) {
          for (const Entry& entry : {sound, bad}) DiskStore(home).publish(entry);
          fs::resize_file(home / bad.key / "kernel.cubin", 1);
        },
        [&](const fs::path& home) {
          return std::vector<std::string>{"load", home, wanted.source};
        },
        [&](const fs::path& home) {
          const DiskStore store(home);
          CHECK(store.load(sound.key)->cubin == sound.cubin);
          CHECK_FALSE(store.load(bad.key).has_value());
          store.publish(bad);
          CHECK(store.load(bad.key)->cubin == bad.cubin);
        });
  }
}

TEST_CASE("writing a pack that is killed at any step leaves the old pack or the new one") {
  const int steps = kill_at_every_step(
      [](const fs::path& home) {
        PackWriter writer;
        writer.add(sample_entry("0"));
        writer.write(home / "kernels.fbpack");
      },
      [](const fs::path& home) {
        return std::vector<std::string>{"pack", home / "kernels.fbpack", "3"};
      },
      [](const fs::path& home) {
        const Pack pack(home / "kernels.fbpack");
        CHECK((pack.size() == 1 || pack.size() == 3));
        for (const auto& status : pack.verify()) CHECK(status.problem == "");
      });
  MESSAGE("killed at ", steps, " steps");
  CHECK(steps >= 5);
}

TEST_CASE("the lock of a process that is killed while it compiles is free, and the next one compiles") {
  const TemporaryDirectory home;
  const std::string log = home.path() / "log";
  Process first({"compile", home.path() / "cache", "16", log, "forever"});
  REQUIRE(first.read_line() == "compiling");
  Process second({"compile", home.path() / "cache", "16", log, "sleep"});
  first.kill();
  CHECK(first.is_killed());
  CHECK(second.succeeds());
  CHECK(fs::file_size(log) == 2);
  CHECK(DiskStore(home.path() / "cache").verify().size() == 1);
}
