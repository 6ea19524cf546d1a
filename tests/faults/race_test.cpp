#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "flashbias/cache.hpp"
#include "flashbias/doctor.hpp"
#include "flashbias/pack.hpp"
#include "tests/cache/sample_entry.hpp"
#include "tests/faults/process.hpp"
#include "tests/temporary_directory.hpp"

using namespace flashbias;
using namespace flashbias::cache;
using testing::Process;
using testing::ProcessSetting;
using testing::sample_entry;
using testing::TemporaryDirectory;
namespace fs = std::filesystem;

namespace {

std::vector<Process> start(int count, const std::vector<std::string>& arguments, const ProcessSetting& setting = {}) {
  std::vector<Process> processes;
  for (int i = 0; i < count; ++i) processes.emplace_back(arguments, setting);
  return processes;
}

/// How many end well.
int successes(std::vector<Process>& processes) {
  int count = 0;
  for (auto& process : processes) count += process.succeeds() ? 1 : 0;
  return count;
}

/// The real NVRTC through faulty_nvrtc.cpp, which adds a dot to the log for each compile.
ProcessSetting counted_compiler(const fs::path& log, const fs::path& fail_while) {
  return {.variables = {"FLASHBIAS_NVRTC=" FAULTY_NVRTC, "FAULT_NVRTC=" + doctor::examine().compiler.path.string(),
                        "FAULT_COMPILE_LOG=" + log.string(), "FAULT_FAIL_WHILE=" + fail_while.string()}};
}

}  // namespace

TEST_CASE("16 processes of 64 threads that ask for one new kernel compile it once, and all get it") {
  const TemporaryDirectory home;
  const fs::path log = home.path() / "log";
  auto processes = start(16, {"race", home.path() / "cache", "64"}, counted_compiler(log, home.path() / "none"));
  int compiles = 0;
  for (auto& process : processes) compiles += std::stoi("0" + process.read_line());
  CHECK(successes(processes) == 16);
  CHECK(compiles == 1);
  CHECK(fs::file_size(log) == 1);
  CHECK(DiskStore(home.path() / "cache").verify().size() == 1);
}

TEST_CASE("processes that add to one pack at a time lose nothing") {
  constexpr int kProcesses = 12;
  constexpr int kEach = 6;
  const TemporaryDirectory home;
  const fs::path file = home.path() / "kernels.fbpack";
  std::vector<Process> processes;
  for (int i = 0; i < kProcesses; ++i) {
    std::vector<std::string> arguments{"add_to_pack", file};
    for (int j = 0; j < kEach; ++j) arguments.push_back(std::to_string(i) + " " + std::to_string(j));
    processes.emplace_back(arguments);
  }
  CHECK(successes(processes) == kProcesses);
  const Pack pack(file);
  CHECK(pack.size() == kProcesses * kEach);
  for (const auto& status : pack.verify()) CHECK(status.problem == "");
}

TEST_CASE("a compile that fails reaches all threads that wait for it, and the next attempt compiles") {
  constexpr int kThreads = 64;
  const TemporaryDirectory home;
  const fs::path log = home.path() / "log";
  const fs::path failing = home.path() / "failing";
  fs::create_directory(failing);
  Process process({"fail", home.path() / "cache", std::to_string(kThreads), failing}, counted_compiler(log, failing));
  CHECK(process.succeeds());
  // One failure for whoever waited, and the compile that succeeded.
  CHECK(fs::file_size(log) >= 2);
  CHECK(fs::file_size(log) < kThreads);
  CHECK(DiskStore(home.path() / "cache").verify().size() == 1);
}

TEST_CASE("two kernels do not wait for each other") {
  const TemporaryDirectory home;
  const std::string log = home.path() / "log";
  const fs::path done = home.path() / "other is done";
  Process first({"compile", home.path() / "cache", "16", log, "wait for " + done.string()});
  REQUIRE(first.read_line() == "compiling");
  Process other({"compile", home.path() / "cache", "24", log, "sleep"});
  CHECK(other.succeeds());
  fs::create_directory(done);
  CHECK(first.succeeds());
  CHECK(DiskStore(home.path() / "cache").verify().size() == 2);
}

TEST_CASE("a compile that fails is published by nobody, and the next attempt tries again") {
  const TemporaryDirectory home;
  const std::string log = home.path() / "log";
  auto failing = start(4, {"compile", home.path() / "cache", "16", log, "fail"});
  CHECK(successes(failing) == 0);
  CHECK(fs::file_size(log) == 4);
  CHECK(DiskStore(home.path() / "cache").list().empty());
  auto working = start(4, {"compile", home.path() / "cache", "16", log, "sleep"});
  CHECK(successes(working) == 4);
  CHECK(fs::file_size(log) == 5);
}

TEST_CASE("eviction that races with loading and publishing gives whole entries or none, and leaves those in use") {
  const TemporaryDirectory home;
  const Entry used = sample_entry("used");
  DiskStore(home.path()).publish(used);
  Process user({"use", home.path(), "used"});
  REQUIRE(user.read_line() == "loaded");
  auto churning = start(4, {"churn", home.path(), "20000", "200"});
  CHECK(successes(churning) == 4);
  CHECK(DiskStore(home.path()).load(used.key).has_value());
  for (const auto& status : DiskStore(home.path()).verify()) CHECK(status.problem == "");
  user.kill();
  CHECK(user.is_killed());
  (void)DiskStore(home.path()).prune({.bytes = 0});
  CHECK(DiskStore(home.path()).list().empty());
}

TEST_CASE("an entry that is published at any step of a sweep is still found by its config") {
  const Entry entry = sample_entry("one");
  bool stopped = true;
  for (int step = 1; stopped; ++step) {
    CAPTURE(step);
    const TemporaryDirectory home;
    DiskStore(home.path()).publish(entry);
    fs::rename(home.path() / entry.key, home.path() / "gone");  // what tells of it is stale
    Process sweep({"prune", home.path()},
                  {.variables = {"LD_PRELOAD=" FAULTY_LIBC, "FAULT_STOP_AT=" + std::to_string(step)}});
    stopped = sweep.is_stopped();
    const DiskStore store(home.path());  // has the entry in use, so that it stays
    store.publish(entry);
    if (stopped) sweep.resume();
    CHECK(sweep.succeeds());
    CHECK(store.latest_key(entry.manifest.config) == entry.key);
  }
}

TEST_CASE("a cache that is deleted again and again while it is used serves right kernels, and stays sound") {
  const TemporaryDirectory home;
  const fs::path cache = home.path() / "cache";
  auto serving = start(4, {"serve", cache, "300"});
  std::error_code ignored;  // what is published meanwhile
  for (int i = 0; i < 200; ++i) {
    fs::remove_all(cache, ignored);
    usleep(1000);
  }
  CHECK(successes(serving) == 4);
  for (const auto& status : DiskStore(cache).verify()) CHECK(status.problem == "");
}

TEST_CASE("without working locks a kernel may be compiled twice, and every process gets a right one") {
  const TemporaryDirectory home;
  const std::string log = home.path() / "log";
  const ProcessSetting no_locks{.variables = {"LD_PRELOAD=" FAULTY_LIBC, "FAULT_NO_LOCKS=1"}};
  auto processes = start(6, {"compile", home.path() / "cache", "16", log, "sleep"}, no_locks);
  CHECK(successes(processes) == 6);
  CHECK(fs::file_size(log) >= 1);
  CHECK(fs::file_size(log) <= 6);
  const auto entries = DiskStore(home.path() / "cache").verify();
  REQUIRE(entries.size() == 1);
  CHECK(entries[0].problem == "");
  // What is in use cannot be told there, so nothing is removed.
  CHECK_FALSE(Process({"prune", home.path() / "cache"}, no_locks).succeeds());
  CHECK(DiskStore(home.path() / "cache").list().size() == 1);
}
