#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "flashbias/jit.hpp"
#include "flashbias/pack.hpp"
#include "tests/captured_stderr.hpp"
#include "tests/driver/fake_driver.hpp"
#include "tests/errors.hpp"
#include "tests/file_text.hpp"
#include "tests/temporary_directory.hpp"

using namespace flashbias;
using namespace flashbias::testing;
namespace fs = std::filesystem;

namespace {

const AttentionConfig kAlibi{.head_dim = 16, .bias = bias::alibi(), .causal = true, .arch = Arch{90}};
const AttentionConfig kOther{.head_dim = 24, .bias = bias::alibi(), .causal = true, .arch = Arch{90}};

/// A directory with a cache that holds kAlibi's kernel, and a pack of it.
struct Deployment {
  TemporaryDirectory home;
  fs::path cache = home.path() / "cache";
  fs::path pack = home.path() / "kernels.fbpack";

  Deployment() {
    const auto compiled = jit::KernelCache({.cache_dir = cache}).get_cubin(kAlibi);
    cache::PackWriter writer;
    writer.add(*cache::DiskStore(cache).load(compiled.key, /*with_source=*/true));
    writer.write(pack);
  }
};

/// Options whose look-ups are kept.
struct Observed {
  std::vector<jit::Lookup> lookups;
  jit::Options options(jit::Options given) {
    given.on_lookup = [this](const jit::Lookup& lookup) { lookups.push_back(lookup); };
    return given;
  }
};

}  // namespace

TEST_CASE("a kernel is looked for in memory, in packs, on disk, and then compiled; each is counted and told") {
  const Deployment deployed;
  const fs::path empty = deployed.home.path() / "empty";
  Observed observed;
  jit::KernelCache kernels(observed.options({.packs = {deployed.pack}, .cache_dir = empty}));
  CHECK(kernels.get(kAlibi).key().size() == 64);
  CHECK(&kernels.get(kAlibi).plan() == &kernels.get(kAlibi).plan());
  REQUIRE(observed.lookups.size() == 1);
  CHECK(observed.lookups[0].origin == jit::Origin::pack);
  CHECK(observed.lookups[0].found_in == deployed.pack);
  CHECK(observed.lookups[0].config == to_string(plan(kAlibi).config));
  CHECK_FALSE(fs::exists(empty));

  (void)kernels.get(kOther);
  REQUIRE(observed.lookups.size() == 2);
  const auto& compiled = observed.lookups[1];
  CHECK(compiled.origin == jit::Origin::compiled);
  CHECK(compiled.compile_ms > 0);
  CHECK(compiled.total_ms >= compiled.compile_ms);
  REQUIRE(compiled.missed.size() == 2);
  CHECK(compiled.missed[0].place == deployed.pack);
  CHECK(compiled.missed[1].place == empty);
  for (const auto& missed : compiled.missed) CHECK(missed.miss.reason == cache::MissReason::absent);

  const auto counters = kernels.counters();
  CHECK(counters.memory_hits == 2);
  CHECK(counters.pack_hits == 1);
  CHECK(counters.disk_hits == 0);
  CHECK(counters.compiles == 1);
  CHECK(counters.failures == 0);
  CHECK(counters.missed_absent == 2);
  CHECK(counters.compile_ms == compiled.compile_ms);

  jit::KernelCache later(observed.options({.cache_dir = empty}));
  CHECK(later.find(kOther).origin == jit::Origin::disk);
  CHECK(later.find(kAlibi).origin == jit::Origin::compiled);
  CHECK(later.counters().disk_hits == 0);
  (void)later.get(kOther);
  CHECK(observed.lookups.back().origin == jit::Origin::disk);
  CHECK(observed.lookups.back().found_in == empty);
  CHECK(later.counters().disk_hits == 1);
}

TEST_CASE("memory hits of all threads are counted") {
  const Deployment deployed;
  jit::KernelCache kernels({.packs = {deployed.pack}, .compile = jit::Compile::never});
  (void)kernels.get(kAlibi);
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&] {
        for (int call = 0; call < 1000; ++call) (void)kernels.get(kAlibi);
      });
    }
  }
  CHECK(kernels.counters().memory_hits == 8000);
}

TEST_CASE("where nothing is compiled, a miss names the config, where it was looked for, and the command to add it") {
  const Deployment deployed;
  jit::KernelCache kernels(
      {.packs = {deployed.pack}, .compile = jit::Compile::never, .cache_dir = deployed.home.path() / "none"});
  const auto message = message_of(ErrorCode::not_precompiled, [&] { (void)kernels.get(kOther); });
  const std::string text = to_string(plan(kOther).config);
  CHECK(says(message, "there is no kernel for `" + text + "`, and compiling is off"));
  CHECK(says(message, deployed.pack.string() + ": absent"));
  CHECK(says(message, (deployed.home.path() / "none").string() + ": absent"));
  CHECK(says(message, "`flashbias precompile --config '" + text + "' --pack '" + deployed.pack.string() + "' --add`"));
  CHECK(kernels.counters().failures == 1);
  CHECK(says(message_of(ErrorCode::not_precompiled,
                        [] { (void)jit::KernelCache({.compile = jit::Compile::never}).get(kOther); }),
             "there is neither a pack nor a cache directory"));
}

TEST_CASE("a cache directory, too, serves where nothing is compiled") {
  const Deployment deployed;
  jit::KernelCache kernels({.compile = jit::Compile::never, .cache_dir = deployed.cache});
  CHECK(kernels.get(kAlibi).resources().registers > 0);
  CHECK(kernels.counters().disk_hits == 1);
}

TEST_CASE("a kernel from the source of another version is not served, and the miss says so") {
  const Deployment deployed;
  // The same config, as another version of the generator would have written it.
  auto entry = *cache::DiskStore(deployed.cache)
                    .load(jit::KernelCache({.cache_dir = deployed.cache}).find(kAlibi).key,
                          /*with_source=*/true);
  entry.source += "// written otherwise\n";
  entry.manifest.flashbias_version = "0.0.9";
  entry.manifest.source_sha256 = cache::sha256_hex(entry.source.data(), entry.source.size());
  entry.key = cache::make_key({.source = entry.source,
                               .options = entry.manifest.options,
                               .arch = entry.manifest.arch,
                               .compiler_version = entry.manifest.compiler_version});
  const fs::path other_cache = deployed.home.path() / "other";
  const fs::path other_pack = deployed.home.path() / "other.fbpack";
  cache::DiskStore(other_cache).publish(entry);
  cache::PackWriter writer;
  writer.add(entry);
  writer.write(other_pack);

  jit::KernelCache never({.packs = {other_pack}, .compile = jit::Compile::never, .cache_dir = other_cache});
  const auto message = message_of(ErrorCode::not_precompiled, [&] { (void)never.get(kAlibi); });
  CHECK(says(message, other_pack.string() + ": version: it has this config from another version of the source, by "
                                            "flashbias 0.0.9"));
  CHECK(
      says(message, other_cache.string() + ": version: it is from another version of the source, by flashbias 0.0.9"));
  CHECK(never.counters().missed_version == 2);

  Observed observed;
  jit::KernelCache kernels(observed.options({.packs = {other_pack}, .cache_dir = other_cache}));
  (void)kernels.get(kAlibi);
  CHECK(observed.lookups.at(0).origin == jit::Origin::compiled);
  CHECK(kernels.counters().missed_version == 2);
}

TEST_CASE("a kernel of another compiler is a miss that names it") {
  const Deployment deployed;
  auto entry = *cache::DiskStore(deployed.cache)
                    .load(jit::KernelCache({.cache_dir = deployed.cache}).find(kAlibi).key,
                          /*with_source=*/true);
  entry.manifest.compiler_version = "12.0+other";
  entry.key = cache::make_key({.source = entry.source,
                               .options = entry.manifest.options,
                               .arch = entry.manifest.arch,
                               .compiler_version = entry.manifest.compiler_version});
  const fs::path other = deployed.home.path() / "other";
  cache::DiskStore(other).publish(entry);
  const auto lookup = jit::KernelCache({.cache_dir = other}).find(kAlibi);
  REQUIRE(lookup.missed.size() == 1);
  CHECK(lookup.missed[0].miss.reason == cache::MissReason::version);
  CHECK(lookup.missed[0].miss.detail == "it was compiled by NVRTC 12.0+other");
}

TEST_CASE("a bad kernel in a pack is told, and another is compiled") {
  const Deployment deployed;
  std::string bytes = file_text(deployed.pack);
  bytes.back() ^= 1;
  fs::remove(deployed.pack);
  std::ofstream(deployed.pack, std::ios::binary) << bytes;
  REQUIRE(chmod(deployed.pack.c_str(), 0444) == 0);
  jit::KernelCache never({.packs = {deployed.pack}, .compile = jit::Compile::never, .log = jit::Log::nothing});
  CHECK(says(message_of(ErrorCode::not_precompiled, [&] { (void)never.get(kAlibi); }), ": corrupt: its cubin"));
  const CapturedStderr errors;
  jit::KernelCache kernels({.packs = {deployed.pack}, .cache_dir = deployed.home.path() / "new"});
  (void)kernels.get(kAlibi);
  CHECK(kernels.counters().missed_corrupt == 1);
  CHECK(kernels.counters().compiles == 1);
  CHECK(says(errors.text(), "flashbias: warning: a kernel in " + deployed.pack.string() + " is bad (its cubin"));
}

TEST_CASE("a bad kernel on disk is told in one warning, set aside, and compiled anew") {
  AttentionConfig for_ampere = kAlibi;
  for_ampere.arch = Arch{80};
  const Deployment other;
  const auto foreign = jit::KernelCache({.cache_dir = other.cache}).get_cubin(for_ampere).cubin.image;
  const std::string cubin_for_ampere(reinterpret_cast<const char*>(foreign.data()), foreign.size());

  const auto write_described = [](const fs::path& entry, const std::string& cubin) {
    auto manifest = cache::parse_manifest(file_text(entry / "manifest.json"));
    manifest.cubin_sha256 = cache::sha256_hex(cubin.data(), cubin.size());
    manifest.cubin_bytes = cubin.size();
    std::ofstream(entry / "manifest.json") << to_json(manifest);
    std::ofstream(entry / "kernel.cubin", std::ios::binary) << cubin;
  };
  const auto flipped = [](std::string cubin) {
    cubin[cubin.size() / 2] ^= 1;
    return cubin;
  };
  const std::vector<std::function<void(const fs::path&, const std::string&)>> damages = {
      [](const fs::path& entry, const std::string& good) { fs::resize_file(entry / "kernel.cubin", good.size() / 2); },
      [](const fs::path& entry, const std::string&) { fs::resize_file(entry / "kernel.cubin", 0); },
      [&](const fs::path& entry, const std::string& good) {
        std::ofstream(entry / "kernel.cubin", std::ios::binary) << flipped(good);
      },
      [&](const fs::path& entry, const std::string&) { write_described(entry, "no cubin at all"); },
      [&](const fs::path& entry, const std::string&) { write_described(entry, cubin_for_ampere); }};
  for (const auto& damage : damages) {
    const Deployment deployed;
    const std::string key = jit::KernelCache({.cache_dir = deployed.cache}).find(kAlibi).key;
    const std::string good = file_text(deployed.cache / key / "kernel.cubin");
    damage(deployed.cache / key, good);

    const CapturedStderr errors;
    jit::KernelCache kernels({.cache_dir = deployed.cache});
    (void)kernels.get(kAlibi);
    CHECK(kernels.counters().missed_corrupt == 1);
    CHECK(kernels.counters().compiles == 1);
    const std::string warning = errors.text();
    CHECK(warning.starts_with("flashbias: warning: a kernel in " + deployed.cache.string() + " is bad ("));
    CHECK(std::ranges::count(warning, '\n') == 1);
    CHECK(file_text(deployed.cache / key / "kernel.cubin") == good);
    jit::KernelCache later({.cache_dir = deployed.cache});
    (void)later.get(kAlibi);
    CHECK(later.counters().disk_hits == 1);
  }
}

TEST_CASE("a pack that cannot be used is an error before anything is asked for") {
  const auto message =
      message_of(ErrorCode::cache, [] { jit::KernelCache({.packs = {"/nonexistent/kernels.fbpack"}}); });
  CHECK(says(message, "cannot use the pack /nonexistent/kernels.fbpack"));
}

TEST_CASE("a line is logged for a miss, and on demand for a hit") {
  const TemporaryDirectory home;
  const auto logged = [&](jit::Log level) {
    const CapturedStderr errors;
    (void)jit::KernelCache({.cache_dir = home.path() / "cache", .log = level}).get_cubin(kAlibi);
    return errors.text();
  };
  const std::string miss = logged(jit::Log::misses);
  CHECK(miss.starts_with("flashbias: compiled in "));
  CHECK(says(miss, " ms (absent in " + (home.path() / "cache").string() + "): " + to_string(plan(kAlibi).config)));
  CHECK(logged(jit::Log::misses).empty());
  CHECK(logged(jit::Log::all).starts_with("flashbias: found in disk " + (home.path() / "cache").string()));
}

TEST_CASE("a kernel is worth more than a line that standard error cannot take") {
  const TemporaryDirectory home;
  jit::KernelCache kernels({.cache_dir = home.path() / "cache", .log = jit::Log::all});
  const CapturedStderr errors;  // puts back what it is now
  const int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
  dup2(full, STDERR_FILENO);
  close(full);
  CHECK_NOTHROW((void)kernels.get_cubin(kAlibi));
}

TEST_CASE("several GPUs of one process share the kernels of their architecture") {
  const Deployment deployed;
  jit::KernelCache kernels({.cache_dir = deployed.cache});
  const AttentionConfig current{.head_dim = 16, .bias = bias::alibi(), .causal = true};
  const auto arch_on = [&](int device) {
    const CurrentDevice selected(device);
    return kernels.get(current).plan().config.arch;
  };
  CHECK(arch_on(kHopper) == Arch{90});
  CHECK(arch_on(kAmpere) == Arch{80});
  CHECK(arch_on(kSecondHopper) == Arch{90});
  CHECK(kernels.counters().disk_hits == 1);
  CHECK(kernels.counters().compiles == 1);
  CHECK(kernels.counters().memory_hits == 1);
  const CurrentDevice second(kSecondHopper);
  const RecordedCalls calls;
  (void)kernels.get(current);
  CHECK(calls.count("cuLibraryLoadData") == 0);
}

TEST_CASE("the cache of the process takes its options before it is used") {
  (void)jit::default_cache();
  const auto message = message_of(ErrorCode::invalid_argument, [] { jit::configure({}); });
  CHECK(says(message, "in use already"));
}
