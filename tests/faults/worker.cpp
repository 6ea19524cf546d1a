#include <unistd.h>

#include <atomic>
#include <barrier>
#include <chrono>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "flashbias/error.hpp"
#include "flashbias/jit.hpp"
#include "flashbias/pack.hpp"
#include "runtime/cached_cubin.hpp"
#include "tests/cache/sample_entry.hpp"
#include "tests/file_text.hpp"

// What the tests have other processes do. Prints a word when it is at the point that the test waits for; ends with
// status 0 where all went well.
namespace {

using namespace flashbias;
using cache::DiskStore;
using cache::Entry;
using testing::sample_entry;
using Arguments = std::vector<std::string>;

const AttentionConfig kRaced{.head_dim = 16, .bias = bias::alibi()};

void say(const char* word) {
  std::puts(word);
  std::fflush(stdout);
}

[[noreturn]] void wait_for_signal() {
  while (true) pause();
}

/// DIRECTORY SOURCE [LIMIT]
bool publish(const Arguments& arguments) {
  const auto limit = arguments.size() > 2 ? std::stoull(arguments[2]) : DiskStore::kDefaultLimit;
  DiskStore(arguments[0], limit).publish(sample_entry(arguments[1]));
  return true;
}

/// DIRECTORY SOURCE: loads, says `loaded`, and uses the entry until a signal ends it.
bool use(const Arguments& arguments) {
  const DiskStore store(arguments[0]);
  if (!store.load(sample_entry(arguments[1]).key)) return false;
  say("loaded");
  wait_for_signal();
}

/// DIRECTORY SOURCE: loads an entry, if a sound one is there.
bool load(const Arguments& arguments) {
  (void)DiskStore(arguments[0]).load(sample_entry(arguments[1]).key);
  return true;
}

/// DIRECTORY: removes all entries that are not in use, and says what is the matter if one stays.
bool prune(const Arguments& arguments) {
  const auto result = DiskStore(arguments[0]).prune({.bytes = 0, .unused_for = {}});
  if (!result.problem.empty()) say(result.problem.c_str());
  return true;
}

/// FILE COUNT
bool pack(const Arguments& arguments) {
  cache::PackWriter writer;
  for (int i = 0; i < std::stoi(arguments[1]); ++i) writer.add(sample_entry(std::to_string(i)));
  writer.write(arguments[0]);
  return true;
}

/// FILE NAMES...: adds a kernel of each name to the pack, one after another.
bool add_to_pack(const Arguments& arguments) {
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    cache::PackWriter writer;
    writer.add(sample_entry(arguments[i]));
    writer.write_with_earlier(arguments[0]);
  }
  return true;
}

/// DIRECTORY LIMIT ROUNDS: publishes and loads entries of a store that evicts all the time. What is loaded is right.
bool churn(const Arguments& arguments) {
  constexpr int kEntries = 20;
  const DiskStore publisher(arguments[0], std::stoull(arguments[1]));
  std::mt19937 random(static_cast<unsigned>(getpid()));
  for (int round = 0; round < std::stoi(arguments[2]); ++round) {
    const Entry entry = sample_entry("churned " + std::string(2000, 'x') + std::to_string(random() % kEntries));
    const DiskStore reader(arguments[0], std::stoull(arguments[1]));
    cache::Miss why;
    const auto loaded = reader.load(entry.key, /*with_source=*/true, &why);
    const bool right = loaded ? loaded->cubin == entry.cubin && loaded->source == entry.source
                              : why.reason == cache::MissReason::absent;
    if (!right) {
      std::fprintf(stderr, "%s: %s\n", entry.key.c_str(), why.detail.c_str());
      return false;
    }
    DiskStore(arguments[0], std::stoull(arguments[1])).publish(entry);
  }
  return true;
}

/// Has threads do the same at the same time; how many give true.
int at_once(int threads, const std::function<bool()>& action) {
  std::atomic<int> count = 0;
  std::barrier start(threads);
  std::vector<std::jthread> pool;
  for (int i = 0; i < threads; ++i) {
    pool.emplace_back([&] {
      start.arrive_and_wait();
      count += action() ? 1 : 0;
    });
  }
  pool.clear();
  return count;
}

/// DIRECTORY THREADS: all threads ask for one kernel at once. Prints how many compiles there were.
bool race(const Arguments& arguments) {
  const int threads = std::stoi(arguments[1]);
  jit::KernelCache kernels({.cache_dir = arguments[0]});
  const int served = at_once(threads, [&] { return kernels.get(kRaced).key().size() == 64; });
  std::printf("%llu\n", static_cast<unsigned long long>(kernels.counters().compiles));
  return served == threads;
}

/// DIRECTORY THREADS FILE: all threads ask for one kernel at once, whose compile fails while there is such a file, and
/// then one, when there is none.
bool fail(const Arguments& arguments) {
  const int threads = std::stoi(arguments[1]);
  jit::KernelCache kernels({.cache_dir = arguments[0]});
  const int told = at_once(threads, [&] {
    try {
      (void)kernels.get(kRaced);
      return false;
    } catch (const Error& error) {
      return error.code() == ErrorCode::compile_failed &&
             std::string(error.what()).find("told to fail") != std::string::npos;
    }
  });
  std::filesystem::remove(arguments[2]);
  return told == threads && kernels.get(kRaced).key().size() == 64;
}

/// PACK: serves a kernel that is in the pack, and refuses another, without NVRTC.
bool deploy(const Arguments& arguments) {
  jit::KernelCache kernels({.packs = {arguments[0]}, .compile = jit::Compile::never});
  if (kernels.get({.head_dim = 16, .bias = bias::alibi()}).resources().registers == 0) return false;
  if (kernels.counters().pack_hits != 1) return false;
  try {
    (void)kernels.get({.head_dim = 24, .bias = bias::alibi()});
    return false;
  } catch (const Error& error) {
    std::puts(error.what());
    if (error.code() != ErrorCode::not_precompiled) return false;
  }
  const std::string mapped = testing::file_text("/proc/self/maps");
  return mapped.find("nvrtc") == std::string::npos && mapped.find("LLVM") == std::string::npos;
}

/// DIRECTORY ROUNDS: through the cache with a stand-in for the compiler, again and again, for kernels by chance. Each
/// is the right one.
bool serve(const Arguments& arguments) {
  std::mt19937 random(static_cast<unsigned>(getpid()));
  for (int round = 0; round < std::stoi(arguments[1]); ++round) {
    const int head_dim = 8 * static_cast<int>(1 + random() % 8);
    const std::vector<std::byte> image = testing::sample_cubin(80, std::to_string(head_dim));
    const runtime::Compiler compiler{
        .version = [] { return std::string("1.0"); },
        .compile = [&](const KernelSource&, Arch) { return Cubin{.image = image, .resources = {}, .compile_ms = 1}; }};
    jit::Lookup lookup;
    const auto found = runtime::find_or_compile(plan({.head_dim = head_dim, .arch = Arch{80}}),
                                                {.packs = {}, .disk = DiskStore(arguments[0])}, lookup, compiler);
    if (found.cubin.image != image) return false;
  }
  return true;
}

/// DIRECTORY SOURCE LOG MANNER: through the cache with a stand-in for the compiler, which leaves a dot in the log.
/// MANNER: `sleep` takes a moment, `fail` throws, `forever` says `compiling` and never ends, and `wait for FILE` ends
/// when there is such a file.
bool compile(const Arguments& arguments) {
  const auto& [directory, source, log, manner] = std::tie(arguments[0], arguments[1], arguments[2], arguments[3]);
  const int head_dim = std::stoi(source);
  const std::vector<std::byte> image = testing::sample_cubin(80, source);
  const runtime::Compiler compiler{.version = [] { return std::string("1.0"); },
                                   .compile =
                                       [&](const KernelSource&, Arch) {
                                         std::ofstream(log, std::ios::app) << '.' << std::flush;
                                         if (manner == "fail") throw Error(ErrorCode::compile_failed, "told to fail");
                                         if (manner == "forever") {
                                           say("compiling");
                                           wait_for_signal();
                                         }
                                         constexpr std::string_view kWaitFor = "wait for ";
                                         if (manner.starts_with(kWaitFor)) {
                                           say("compiling");
                                           while (!std::filesystem::exists(manner.substr(kWaitFor.size())))
                                             usleep(1000);
                                         }
                                         std::this_thread::sleep_for(std::chrono::milliseconds(100));
                                         return Cubin{
                                             .image = image, .resources = {.registers = 42}, .compile_ms = 100};
                                       }};
  jit::Lookup lookup;
  const auto found = runtime::find_or_compile(plan({.head_dim = head_dim, .arch = Arch{80}}),
                                              {.packs = {}, .disk = DiskStore(directory)}, lookup, compiler);
  if (!found.cache_problem.empty()) std::puts(found.cache_problem.c_str());
  return found.cubin.image == image;
}

const std::map<std::string, std::function<bool(const Arguments&)>> kCommands = {
    {"publish", publish},         {"use", use},        {"load", load}, {"prune", prune}, {"pack", pack},
    {"add_to_pack", add_to_pack}, {"churn", churn},    {"race", race}, {"fail", fail},   {"serve", serve},
    {"deploy", deploy},           {"compile", compile}};

}  // namespace

int main(int argc, char** argv) {
  try {
    return kCommands.at(argv[1])(Arguments(argv + 2, argv + argc)) ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", argv[1], error.what());
    return 2;
  }
}
