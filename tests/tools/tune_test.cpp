#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "tests/errors.hpp"
#include "tests/tools/command.hpp"

using flashbias::testing::run_command;
using flashbias::testing::says;
using flashbias::testing::scratch_path;

namespace {

/// An H100 that interprets PTX, without a compiler.
std::string without_compiler() {
  return "FLASHBIAS_LIBCUDA=" FLASHBIAS_EMULATED_CUDA " FLASHBIAS_NVRTC=/nonexistent/nvrtc.so FLASHBIAS_CACHE_DIR='" +
         scratch_path("no_kernels") + "'";
}

constexpr const char* kTune = "tune --bias alibi --head-dim 16 --heads 1 --seqlen-q 16 --lowerings ";

}  // namespace

TEST_CASE("command: tune has no best where nothing passed, and fails") {
  const auto result = run_command(kTune, without_compiler());
  CHECK(result.status == 1);
  CHECK(says(result.error, "flashbias: error: alibi(): nothing that was measured passed\n"));
  CHECK(says(result.out, "/nonexistent/nvrtc.so"));
  CHECK(result.out.find("* ") == std::string::npos);
  CHECK(result.out.find("nan") == std::string::npos);

  const auto json = run_command(std::string(kTune) + "--json", without_compiler());
  CHECK(json.status == 1);
  for (const auto& candidate : nlohmann::json::parse(json.out)[0]["candidates"]) CHECK(candidate["best"] == false);
}

TEST_CASE("command: tune refuses another architecture than the GPU's") {
  const auto result = run_command(std::string(kTune) + "--arch sm_80", without_compiler());
  CHECK(result.status == 1);
  CHECK(says(result.error, "the config is for sm_80, but this machine's GPU is sm_90a"));
}
