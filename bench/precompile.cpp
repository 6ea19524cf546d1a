// Throughput of precompiling: the kernels of a manifest for all architectures, from nothing, on 1 and on 2 threads. On
// a machine that others use as well, a thread also waits for a processor; the kernel's accounts
// (/proc/thread-self/schedstat) tell for how long, and it is told apart: without it is what the same threads would have
// taken with the cores to themselves.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tools/compile_all.hpp"
#include "tools/manifest.hpp"

namespace flashbias {
namespace {

using Clock = std::chrono::steady_clock;

/// Seconds for which this thread was ready to run and another ran.
double seconds_waited_for_processor() {
  std::ifstream accounts("/proc/thread-self/schedstat");
  double running = 0;
  double waiting = 0;
  accounts >> running >> waiting;
  return waiting / 1e9;
}

std::vector<AttentionConfig> distinct_configs(const std::string& manifest) {
  std::vector<AttentionConfig> configs;
  std::set<std::string> seen;
  for (const Arch arch : supported_archs()) {
    for (auto& entry : tools::read_manifest(manifest)) {
      entry.config.arch = arch;
      if (seen.insert(to_string(entry.config)).second) configs.push_back(entry.config);
    }
  }
  return configs;
}

/// Seconds that the slowest thread took, but for those that it waited for a processor.
double precompile(const std::vector<AttentionConfig>& configs, const std::filesystem::path& directory, int threads) {
  std::filesystem::remove_all(directory);
  jit::KernelCache cache({.cache_dir = directory});
  std::map<pid_t, double> seconds;
  double compiling = 0;
  const double waited_before = seconds_waited_for_processor();
  const pid_t main_thread = gettid();
  const auto start = Clock::now();
  tools::compile_all(configs, cache, threads, [&](std::size_t, const tools::CompileOutcome& outcome) {
    const double waited = seconds_waited_for_processor() - (gettid() == main_thread ? waited_before : 0);
    seconds[gettid()] = std::chrono::duration<double>(Clock::now() - start).count() - waited;
    compiling += outcome.kernel.value().cubin.compile_ms / 1e3;
  });
  const double elapsed = std::chrono::duration<double>(Clock::now() - start).count();
  double own = 0;
  for (const auto& [thread, value] : seconds) own = std::max(own, value);
  const auto count = static_cast<double>(configs.size());
  fmt::print(
      "precompile, {} threads: {} kernels in {:.2f} s, without waiting for a processor {:.2f} s, {:.0f} a minute; "
      "compile times together {:.2f} s\n",
      threads, configs.size(), elapsed, own, 60 * count / own, compiling);
  return own;
}

}  // namespace
}  // namespace flashbias

int main(int argc, char** argv) {
  if (argc != 3) {
    fmt::print(stderr, "flashbias_precompile_bench MANIFEST DIRECTORY\n");
    return 2;
  }
  try {
    const auto configs = flashbias::distinct_configs(argv[1]);
    const auto directory = std::filesystem::path(argv[2]) / "precompiled";
    const double one = flashbias::precompile(configs, directory, 1);
    const double two = flashbias::precompile(configs, directory, 2);
    fmt::print("2 threads are {:.2f} times as fast\n", one / two);
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "flashbias_precompile_bench: {}\n", error.what());
    return 1;
  }
}
