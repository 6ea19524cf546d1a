#include <doctest/doctest.h>

#include <barrier>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "flashbias/cache.hpp"
#include "flashbias/flashbias.h"
#include "flashbias/jit.hpp"
#include "tests/captured_stderr.hpp"
#include "tests/driver/allocations.hpp"
#include "tests/driver/fake_driver.hpp"
#include "tests/driver/lookups.hpp"
#include "tests/errors.hpp"
#include "tests/temporary_directory.hpp"

using namespace flashbias;
using namespace flashbias::testing;

namespace {

using Calls = std::vector<std::string>;

std::filesystem::path cache_directory() { return *jit::Options::from_environment().cache_dir; }

std::size_t cached_cubins() { return cache::DiskStore(cache_directory()).list().size(); }

/// The store's directory cannot be made while it lives: a file has its name.
class UnusableCache {
 public:
  UnusableCache() {
    std::filesystem::remove_all(directory_);
    std::ofstream(directory_).close();
  }
  ~UnusableCache() { std::filesystem::remove(directory_); }
  UnusableCache(const UnusableCache&) = delete;
  UnusableCache& operator=(const UnusableCache&) = delete;

 private:
  std::filesystem::path directory_ = cache_directory();
};

int occurrences(const std::string& text, const std::string& word) {
  int found = 0;
  for (auto at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++found;
  return found;
}

}  // namespace

TEST_CASE("a kernel is compiled for the current device, or for device 0 where no context is current") {
  CHECK(jit::get({.head_dim = 16}).plan().config.arch == Arch{90});
  const CurrentDevice device(kAmpere);
  const Kernel kernel = jit::get({.head_dim = 16});
  CHECK(kernel.plan().config.arch == Arch{80});
  CHECK(kernel.resources().registers > 0);
  CHECK(kernel.key().size() == 64);
}

TEST_CASE("a config that was asked for before costs the question for the current device, and no memory") {
  const AttentionConfig config{.head_dim = 24, .bias = bias::alibi(), .causal = true};
  const Kernel made = jit::get(config);
  const auto hit = [&] {
    const RecordedCalls calls;
    CHECK(&jit::get(config).plan() == &made.plan());
    return calls.names();
  };
  SUBCASE("without a context, where asking for its device would be a slow failure") {
    CHECK(hit() == Calls{"cuCtxGetCurrent"});
  }
  SUBCASE("with a context") {
    const CurrentDevice device(kHopper);
    CHECK(hit() == Calls{"cuCtxGetCurrent", "cuCtxGetDevice"});
  }
  const long before = allocations();
  (void)jit::get(config);
  CHECK(allocations() == before);
}

TEST_CASE("an architecture that is named and the current one of the same name share a kernel") {
  const Kernel named = jit::get({.head_dim = 32, .arch = Arch{90}});
  CHECK(&jit::get({.head_dim = 32}).plan() == &named.plan());
  CHECK(&jit::get({.head_dim = 32, .head_dim_v = 32}).plan() == &named.plan());
}

TEST_CASE("threads that ask for one new config compile and load it once") {
  constexpr int kThreads = 16;
  const std::size_t before = cached_cubins();
  const RecordedCalls calls;
  std::barrier start(kThreads);
  std::vector<std::jthread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      start.arrive_and_wait();
      (void)jit::get({.head_dim = 40, .bias = bias::alibi()});
    });
  }
  threads.clear();
  CHECK(calls.count("cuLibraryLoadData") == 1);
  CHECK(cached_cubins() == before + 1);
}

TEST_CASE("the C API gets a kernel and counts how") {
  flashbias_counters before;
  flashbias_counters after;
  REQUIRE(flashbias_get_counters(&before) == FLASHBIAS_OK);
  for (int i = 0; i < 2; ++i) {
    flashbias_kernel* kernel = nullptr;
    REQUIRE(flashbias_get("head_dim=80", &kernel) == FLASHBIAS_OK);
    flashbias_kernel_free(kernel);
  }
  REQUIRE(flashbias_get_counters(&after) == FLASHBIAS_OK);
  CHECK(after.compiles == before.compiles + 1);
  CHECK(after.memory_hits == before.memory_hits + 1);
  CHECK(after.compile_ms > before.compile_ms);
}

TEST_CASE("get_cubin with another cache directory is configured as the cache of the process is, but for that") {
  const TemporaryDirectory home;
  const int before = counted_lookups();
  const jit::CachedCubin cubin = jit::get_cubin({.head_dim = 16, .arch = Arch{90}}, home.path());
  CHECK(counted_lookups() == before + 1);
  CHECK(cache::DiskStore(home.path()).load(cubin.key, /*with_source=*/false).has_value());
}

TEST_CASE("a launch tells a thread without a context how to get one, and of other failures what they are") {
  const Kernel kernel = jit::get({.head_dim = 16});
  const auto failure = [&] { return message_of(ErrorCode::cuda, [&] { kernel.launch({}, nullptr); }); };
  CHECK(says(failure(), "no CUDA context is current in this thread"));
  const CurrentDevice device(kHopper);
  const BrokenContext broken;
  CHECK(failure() ==
        "could not find the device of the current context: CUDA_ERROR_OF_A_FAKE (the fake driver refuses)");
}

TEST_CASE("a GPU older than Ampere is refused by its compute capability") {
  const CurrentDevice device(kTuring);
  const auto message = message_of(ErrorCode::unsupported_device, [] { (void)jit::get({.head_dim = 48}); });
  CHECK(says(message, "compute capability 7.5"));
  CHECK(says(message, "Ampere"));
}

TEST_CASE("a kernel that the current device cannot run is refused before it is compiled") {
  const CurrentDevice device(kAmpere);
  const std::size_t before = cached_cubins();
  const auto refusal = [] {
    return message_of(ErrorCode::unsupported_device, [] { (void)jit::get({.head_dim = 56, .arch = Arch{90}}); });
  };
  CHECK(says(refusal(), "sm_90a does not run on device 2 (fake GPU, compute capability 8.0)"));
  CHECK(cached_cubins() == before);
}

TEST_CASE("an unusable cache costs one warning a process, and no kernel") {
  const UnusableCache unusable;
  const CapturedStderr errors;
  CHECK(jit::get({.head_dim = 64}).resources().registers > 0);
  CHECK(jit::get({.head_dim = 72}).resources().registers > 0);
  CHECK(occurrences(errors.text(), "flashbias: warning: ") == 1);
  CHECK(says(errors.text(), cache_directory().string()));
}
