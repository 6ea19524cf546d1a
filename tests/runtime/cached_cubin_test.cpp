#include "runtime/cached_cubin.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "tests/cache/sample_entry.hpp"
#include "tests/errors.hpp"
#include "tests/temporary_directory.hpp"

using namespace flashbias;
using runtime::Compiler;
using runtime::Places;
using testing::message_of;
using testing::says;
namespace fs = std::filesystem;

namespace {

/// A cache directory that does not exist yet; removed at the end.
class CacheDirectory {
 public:
  [[nodiscard]] fs::path path() const { return root_.path() / "cache"; }

 private:
  testing::TemporaryDirectory root_;
};

KernelPlan alibi_plan() { return plan({.bias = bias::alibi(), .causal = true, .arch = Arch{80}}); }

jit::CachedCubin find_or_compile(const KernelPlan& plan, const Places& places, const Compiler& compiler) {
  jit::Lookup lookup;
  return runtime::find_or_compile(plan, places, lookup, compiler);
}

/// Counts compiles instead of doing them.
struct CountingCompiler {
  std::atomic<int> compiles = 0;
  std::string version = "1.0";

  Compiler compiler() {
    return {.version = [this] { return version; },
            .compile =
                [this](const KernelSource&, Arch) {
                  ++compiles;
                  std::this_thread::sleep_for(std::chrono::milliseconds(20));
                  return Cubin{
                      .image = testing::sample_cubin(80, "alibi"), .resources = {.registers = 42}, .compile_ms = 20};
                }};
  }
};

}  // namespace

TEST_CASE("a cubin is compiled once and then found on disk") {
  const CacheDirectory directory;
  const cache::DiskStore store(directory.path());
  CountingCompiler counting;
  const auto compiled = find_or_compile(alibi_plan(), {.disk = store}, counting.compiler());
  CHECK(compiled.origin == jit::Origin::compiled);
  CHECK(compiled.cache_problem == "");
  CHECK(compiled.key.size() == 64);

  const auto found = find_or_compile(alibi_plan(), {.disk = store}, counting.compiler());
  CHECK(found.origin == jit::Origin::disk);
  CHECK(found.key == compiled.key);
  CHECK(found.cubin.image == compiled.cubin.image);
  CHECK(found.cubin.resources.registers == 42);
  CHECK(found.cubin.compile_ms == 0);
  CHECK(counting.compiles == 1);

  const auto entries = store.list();
  REQUIRE(entries.size() == 1);
  REQUIRE(entries[0].manifest.has_value());
  CHECK(entries[0].manifest->config == to_string(compiled.plan.config));
  CHECK(entries[0].manifest->arch == "sm_80");
}

TEST_CASE("another compiler or another config is another key") {
  const CacheDirectory directory;
  const cache::DiskStore store(directory.path());
  CountingCompiler counting;
  const auto first = find_or_compile(alibi_plan(), {.disk = store}, counting.compiler());
  counting.version = "1.1";
  CHECK(find_or_compile(alibi_plan(), {.disk = store}, counting.compiler()).key != first.key);
  CHECK(find_or_compile(plan({.arch = Arch{80}}), {.disk = store}, counting.compiler()).key != first.key);
  CHECK(counting.compiles == 3);
}

TEST_CASE("threads that want one cubin compile it once") {
  const CacheDirectory directory;
  const cache::DiskStore store(directory.path());
  CountingCompiler counting;
  const Compiler compiler = counting.compiler();
  std::vector<std::jthread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] { (void)find_or_compile(alibi_plan(), {.disk = store}, compiler); });
  }
  threads.clear();
  CHECK(counting.compiles == 1);
}

TEST_CASE("without a cache that can be used, a cubin is compiled all the same and the reason is told") {
  CountingCompiler counting;
  const auto nowhere = find_or_compile(alibi_plan(), {}, counting.compiler());
  CHECK(nowhere.origin == jit::Origin::compiled);
  CHECK(says(nowhere.cache_problem, "set FLASHBIAS_CACHE_DIR"));

  const cache::DiskStore in_a_file("/dev/null/cache");
  const auto unwritable = find_or_compile(alibi_plan(), {.disk = in_a_file}, counting.compiler());
  CHECK(unwritable.origin == jit::Origin::compiled);
  CHECK(says(unwritable.cache_problem, "/dev/null/cache"));
  CHECK_FALSE(unwritable.cubin.image.empty());

  const CacheDirectory directory;
  fs::create_directory(directory.path());
  fs::permissions(directory.path(), fs::perms::all);
  const cache::DiskStore open_to_all(directory.path());
  CHECK_FALSE(find_or_compile(alibi_plan(), {.disk = open_to_all}, counting.compiler()).cache_problem.empty());
}

TEST_CASE("a failed compile reaches the caller and leaves nothing behind") {
  const CacheDirectory directory;
  const cache::DiskStore store(directory.path());
  CountingCompiler counting;
  Compiler failing = counting.compiler();
  failing.compile = [](const KernelSource&, Arch) -> Cubin {
    throw Error(ErrorCode::compile_failed, "no such instruction");
  };
  const auto attempt = [&] { (void)find_or_compile(alibi_plan(), {.disk = store}, failing); };
  CHECK(says(message_of(ErrorCode::compile_failed, attempt), "no such instruction"));
  CHECK(store.list().empty());
  CHECK(find_or_compile(alibi_plan(), {.disk = store}, counting.compiler()).origin == jit::Origin::compiled);
}
