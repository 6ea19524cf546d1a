// What a kernel costs that is found: in memory, on 1 to 16 threads; in packs and cache directories of 10, 1 000 and
// 100 000 kernels. Needs no GPU: with the tests' driver (FLASHBIAS_LIBCUDA), which loads modules in no time, a hit is
// all that comes before the driver's work. bench/cache.sh runs it.
#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <barrier>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "flashbias/jit.hpp"
#include "flashbias/pack.hpp"
#include "tests/cache/sample_entry.hpp"

namespace flashbias {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

const AttentionConfig kConfig{.head_dim = 128, .bias = bias::alibi(), .causal = true, .arch = Arch{90}};
constexpr int kSizes[] = {10, 1'000, 100'000};

double microseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
}

double thread_cpu_nanoseconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

/// All threads ask for one kernel by one config. Time is what the threads had of the processor, so that more threads
/// than cores, or other processes, do not count.
void memory_hits(const fs::path& directory) {
  jit::KernelCache kernels({.cache_dir = directory});
  (void)kernels.get(kConfig);
  for (const int threads : {1, 2, 4, 16}) {
    constexpr int kCalls = 1'000'000;
    std::vector<double> nanoseconds(static_cast<std::size_t>(threads));
    std::barrier begin(threads + 1);
    std::vector<std::jthread> pool;
    for (auto& result : nanoseconds) {
      pool.emplace_back([&] {
        begin.arrive_and_wait();
        const double start = thread_cpu_nanoseconds();
        for (int i = 0; i < kCalls; ++i) (void)kernels.get(kConfig);
        result = (thread_cpu_nanoseconds() - start) / kCalls;
      });
    }
    begin.arrive_and_wait();
    const auto start = Clock::now();
    pool.clear();
    const double elapsed = microseconds_since(start);
    fmt::print(
        "memory hit, {:2} threads: median of the threads {:.0f} ns, worst {:.0f} ns; together {:.1f} million/s\n",
        threads, median(nanoseconds), *std::ranges::max_element(nanoseconds), kCalls * threads / elapsed);
  }
}

/// Median of `call`, with what `prepare` makes for each.
template <class Prepare, class Call>
double microseconds(Prepare prepare, Call call) {
  constexpr int kRounds = 200;
  std::vector<double> times;
  for (int i = 0; i < kRounds; ++i) {
    auto prepared = prepare();
    const auto start = Clock::now();
    call(prepared);
    times.push_back(microseconds_since(start));
  }
  return median(times);
}

/// Entries that nobody asks for: their directories, which is what a look-up could be slowed down by.
void fill(const fs::path& directory, int first, int last) {
  for (int i = first; i < last; ++i) fs::create_directory(directory / testing::sample_entry(std::to_string(i)).key);
}

using Cache = std::unique_ptr<jit::KernelCache>;

void disk_hits(const fs::path& directory) {
  int filled = 1;
  for (const int size : kSizes) {
    fill(directory, filled, size);
    filled = size;
    const double hit =
        microseconds([&] { return std::make_unique<jit::KernelCache>(jit::Options{.cache_dir = directory}); },
                     [](const Cache& kernels) { (void)kernels->get(kConfig); });
    fmt::print("disk hit, {:6} entries: {:.0f} us\n", size, hit);
  }
}

void pack_hits(const fs::path& directory, const fs::path& work) {
  const auto found = jit::KernelCache({.cache_dir = directory}).get_cubin(kConfig);
  cache::PackWriter writer;
  writer.add(*cache::DiskStore(directory).load(found.key, /*with_source=*/true));
  for (const int size : kSizes) {
    for (int i = static_cast<int>(writer.size()); i < size; ++i) writer.add(testing::sample_entry(std::to_string(i)));
    const fs::path path = work / "kernels.fbpack";
    writer.write(path);
    const jit::Options options{.packs = {path}, .compile = jit::Compile::never};
    const double hit = microseconds([&] { return std::make_unique<jit::KernelCache>(options); },
                                    [](const Cache& kernels) { (void)kernels->get(kConfig); });
    const double opened = microseconds([] { return 0; }, [&](int) { jit::KernelCache kernels(options); });
    fmt::print("pack hit, {:6} kernels ({} bytes): {:.0f} us; opening the pack {:.0f} us\n", size, fs::file_size(path),
               hit, opened);
  }
}

/// The parts of a hit that come before any look-up, for biases that take the planner little and much.
void plan_and_emit() {
  constexpr const char* kConfigs[] = {
      "head_dim=128 causal=true bias=\"alibi()\"",
      "head_dim=64 bias=\"t5_relative_position()\"",
      "head_dim=32 bias=\"window_relative_position(24, 24)\"",
      "head_dim=32 bias=\"earth_relative_position(2, 6, 12)\"",
      "head_dim=64 bias=\"low_rank(16)\"",
      "head_dim=16 bias=\"squared_distance(3, per_query)\"",
      "head_dim=16 bias=\"squared_distance(3, per_query).range(q_positions, -1, 1).range(k_positions, -1, 1)"
      ".range(distance_weight, 0, 2)\"",
  };
  for (const char* text : kConfigs) {
    const AttentionConfig config = parse_config(std::string(text) + " arch=sm_90a");
    const double planned = microseconds([] { return 0; }, [&](int) { (void)plan(config); });
    const KernelPlan made = plan(config);
    const double emitted = microseconds([] { return 0; }, [&](int) { (void)emit(made); });
    fmt::print("planning {:.0f} us, writing the source {:.0f} us: {}\n", planned, emitted, text);
  }
}

}  // namespace
}  // namespace flashbias

int main(int argc, char** argv) {
  if (argc != 2) {
    fmt::print(stderr, "flashbias_cache_bench DIRECTORY: an empty one, for caches and packs\n");
    return 2;
  }
  try {
    const std::filesystem::path work = argv[1];
    flashbias::memory_hits(work / "cache");
    flashbias::plan_and_emit();
    flashbias::pack_hits(work / "cache", work);
    flashbias::disk_hits(work / "cache");
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "flashbias_cache_bench: {}\n", error.what());
    return 1;
  }
}
