#include <doctest/doctest.h>
#include <fcntl.h>
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "flashbias/cache.hpp"
#include "tests/errors.hpp"
#include "tests/temporary_directory.hpp"
#include "tests/tools/command.hpp"

using namespace flashbias;
using nlohmann::json;
using testing::run_command;
using testing::says;
using testing::TemporaryDirectory;
namespace fs = std::filesystem;

namespace {

/// A manifest in a directory of its own, beside a cache.
struct Deployment {
  TemporaryDirectory home;
  std::string cache = (home.path() / "cache").string();
  std::string manifest = (home.path() / "manifest.toml").string();

  explicit Deployment(const std::string& config) {
    std::ofstream(manifest) << "[[kernels]]\nname = \"a\"\nconfig = " << config << '\n';
  }
  [[nodiscard]] std::string command(const std::string& more) const {
    return "precompile --manifest '" + manifest + "' --cache '" + cache + "' " + more;
  }
};

std::size_t entries_in(const std::string& cache) { return cache::DiskStore(cache).list().size(); }

}  // namespace

TEST_CASE("precompile: each kernel for each architecture, reported line by line where there is no terminal") {
  const Deployment deployment("{head_dim = 16, causal = [false, true]}");
  const auto result = run_command(deployment.command("--arch sm_80,sm_90a -j 2 --json"));
  CHECK(json::parse(result.out)["kernels"].size() == 4);
  CHECK(says(result.error, "compiling 1/4, "));
  CHECK(says(result.error, "compiling 4/4, "));
  CHECK(says(result.error, "/s, 0 s left: a, causal="));
  CHECK(result.error.find('\r') == std::string::npos);
  CHECK(entries_in(deployment.cache) == 4);
}

TEST_CASE("precompile: failures come together at the end, with a status, and no pack is written") {
  const Deployment deployment("[\"head_dim=16\", \"head_dim=24\"]");
  const std::string pack = (deployment.home.path() / "kernels.fbpack").string();
  const auto failed = run_command(deployment.command("--arch sm_80,sm_90a --pack '" + pack + "'"),
                                  "FLASHBIAS_NVRTC=/nonexistent/nvrtc.so");
  CHECK(failed.status == 1);
  CHECK(says(failed.error, "a, [0] (sm_80): "));
  CHECK(says(failed.error, "/nonexistent/nvrtc.so"));
  CHECK(says(failed.error, "4 of 4 kernels failed"));
  CHECK_FALSE(fs::exists(pack));

  // Nor is a kernel that cannot be kept a success: here no file may grow beyond 4 KiB.
  const auto unkept = run_command(deployment.command("--arch sm_80 --json --pack '" + pack + "'"),
                                  "env --ignore-signal=XFSZ prlimit --fsize=4096");
  CHECK(unkept.status == 1);
  CHECK(says(unkept.error, "cannot write kernel.cubin: File too large"));
  CHECK(says(unkept.error, "2 of 2 kernels failed"));
  CHECK_FALSE(fs::exists(pack));
  CHECK(entries_in(deployment.cache) == 0);
}

TEST_CASE("precompile: a dry run says what would be done and does nothing") {
  const Deployment deployment("{head_dim = [16, 24]}");
  const std::string pack = (deployment.home.path() / "kernels.fbpack").string();
  const auto dry = run_command(deployment.command("--config head_dim=16 --arch sm_80 --dry-run --pack '" + pack + "'"));
  CHECK(dry.status == 0);
  CHECK(says(dry.out, "would compile 2 of 2 kernels into " + deployment.cache + " and write " + pack));
  CHECK_FALSE(fs::exists(deployment.cache));
  CHECK_FALSE(fs::exists(pack));
  REQUIRE(run_command("precompile --config head_dim=16 --arch sm_80 --cache '" + deployment.cache + "'").status == 0);
  const auto kernels = json::parse(run_command(deployment.command("--arch sm_80 -n --json")).out)["kernels"];
  CHECK(kernels[0]["cached"] == true);
  CHECK(kernels[1]["cached"] == false);
  CHECK(entries_in(deployment.cache) == 1);
}

TEST_CASE("precompile: after a kill it goes on where it was") {
  const Deployment deployment("{head_dim = [16, 24, 32, 40, 48, 56], dtype = [\"f16\", \"bf16\"]}");
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const int nowhere = open("/dev/null", O_WRONLY);
    dup2(nowhere, STDOUT_FILENO);
    dup2(nowhere, STDERR_FILENO);
    execl(FLASHBIAS_COMMAND, FLASHBIAS_COMMAND, "precompile", "--manifest", deployment.manifest.c_str(), "--cache",
          deployment.cache.c_str(), "--arch", "sm_80", "-j", "1", nullptr);
    _exit(127);
  }
  while (entries_in(deployment.cache) == 0) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  kill(child, SIGKILL);
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(WIFSIGNALED(status));
  const auto finished = entries_in(deployment.cache);
  CHECK(finished < 12);

  const auto resumed = json::parse(run_command(deployment.command("--arch sm_80 --json")).out)["kernels"];
  std::size_t cached = 0;
  for (const auto& kernel : resumed) cached += kernel["cached"] == true ? 1 : 0;
  CHECK(resumed.size() == 12);
  CHECK(cached == finished);
  CHECK(run_command("cache verify --cache '" + deployment.cache + "'").status == 0);
}

TEST_CASE("precompile: on a terminal, one line tells count, rate, time left and kernel") {
  const Deployment deployment("{head_dim = 16, causal = [false, true]}");
  int terminal = -1;
  const pid_t child = forkpty(&terminal, nullptr, nullptr, nullptr);
  REQUIRE(child >= 0);
  if (child == 0) {
    execl(FLASHBIAS_COMMAND, FLASHBIAS_COMMAND, "precompile", "--manifest", deployment.manifest.c_str(), "--cache",
          deployment.cache.c_str(), "--arch", "sm_80", nullptr);
    _exit(127);
  }
  std::string shown;
  std::array<char, 4096> buffer{};
  for (ssize_t size = 0; (size = read(terminal, buffer.data(), buffer.size())) > 0;) {
    shown.append(buffer.data(), static_cast<std::size_t>(size));
  }
  close(terminal);
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WEXITSTATUS(status) == 0);
  CHECK(says(shown, "\r\033[Kcompiling [###############...............] 1/2, "));
  CHECK(says(shown, "/s, 0 s left: a, causal="));
  CHECK(says(shown, "[##############################] 2/2, "));
}

TEST_CASE("precompile: what cannot be written is told before anything is compiled") {
  const Deployment deployment("{head_dim = 16}");
  const auto refused = [&](const std::string& more) {
    const auto result = run_command(deployment.command("--arch sm_80 " + more));
    CHECK(result.status == 1);
    CHECK(result.error.find("compiling") == std::string::npos);
    return result.error;
  };
  CHECK(says(refused("--pack /nonexistent/a.fbpack"), "cannot write the pack /nonexistent/a.fbpack: its directory"));
  CHECK(says(refused("--pack '" + deployment.manifest + "' --add"), "is no pack"));
  std::ofstream(deployment.cache).close();
  CHECK(says(refused(""), "cannot create the cache directory"));
}

TEST_CASE("precompile: what a command line lacks is said") {
  CHECK(says(run_command("precompile --config head_dim=16 --arch current").error, "--arch current: expected the name"));
  CHECK(says(run_command("precompile --config head_dim=16 --arch sm_80 --pack ''").error, "--pack: it is empty"));
  CHECK(says(run_command("precompile --config head_dim=16 --arch sm_80 -j 0").error,
             "--jobs: '0'; expected a whole number from 1 to 1024"));
  CHECK(says(run_command("precompile --manifest /nonexistent/m.json --arch sm_80").error,
             "cannot read the manifest /nonexistent/m.json: No such file or directory"));
  CHECK(says(run_command("precompile --arch sm_80").error, "--manifest or --config"));
  CHECK(says(run_command("precompile --config head_dim=16").error, "pass --arch"));
  CHECK(says(run_command("precompile --config head_dim=16 --arch sm_80 --add").error, "--pack"));
  CHECK(run_command("precompile --arch sm_80").status == 2);
  CHECK(says(run_command("precompile -n --config 'head_dim=16 arch=sm_80' --arch bogus").error, "bogus"));
  CHECK(says(run_command("precompile -n --config 'head_dim=16 arch=sm_80' --arch sm_90a").error,
             "its arch=sm_80 is not among those of --arch"));
}
