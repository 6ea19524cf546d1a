#include <doctest/doctest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/tools/command.hpp"
#include "tools/npy.hpp"
#include "tools/npz.hpp"

using namespace flashbias;
using namespace flashbias::tools;
using flashbias::testing::run_command;
using flashbias::testing::scratch_path;

namespace {

/// A GPU that interprets PTX, with a cache of its own: its cubins are no others.
std::string emulator() {
  return "FLASHBIAS_LIBCUDA=" FLASHBIAS_EMULATED_CUDA " FLASHBIAS_NVRTC=" FLASHBIAS_EMULATED_CUDA
         " FLASHBIAS_CACHE_DIR='" +
         scratch_path("emulated_cache") + "'";
}

constexpr const char* kRun = "run --direction backward --head-dim 16 --heads 2 --seqlen-q 20 --bias alibi --causal ";

std::vector<std::string> keys_of(const nlohmann::json& object) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : object.items()) keys.push_back(key);
  return keys;
}

}  // namespace

TEST_CASE("command: run computes gradients, checks each and saves them") {
  const auto archive = scratch_path("gradients.npz");
  const auto result = run_command(kRun + std::string("--gradients q,slopes --check --json -o ") + archive, emulator());
  INFO(result.error);
  REQUIRE(result.status == 0);
  const auto json = nlohmann::json::parse(result.out);
  const std::vector<std::string> asked{"q", "slopes"};
  CHECK(json["check"]["passed"] == true);
  CHECK(keys_of(json["check"]["gradients"]) == asked);
  CHECK(keys_of(json["gradient_shapes"]) == asked);
  CHECK(json["config"].get<std::string>().find("gradients=q,slopes") != std::string::npos);

  const auto gradients = read_npz(archive);
  REQUIRE(gradients.size() == 2);
  CHECK(to_string(gradients.at("q")) == "f16 [1, 20, 2, 16]");
  CHECK(to_string(gradients.at("slopes")) == "f32 [2]");
}

TEST_CASE("command: run computes all gradients by default, and prints them as a table") {
  const auto result = run_command(kRun + std::string("--check"), emulator());
  INFO(result.error);
  REQUIRE(result.status == 0);
  CHECK(result.out.find("check    passed") != std::string::npos);
  for (const char* gradient : {"\nq  ", "\nk  ", "\nv  ", "\nslopes  "})
    CHECK(result.out.find(gradient) != std::string::npos);
}

TEST_CASE("command: a wrong upstream gradient is named, and nothing is written") {
  const auto d_out = scratch_path("d_out.npy");
  write_npy(d_out, HostTensor(DType::f32, {1, 20, 2, 8}));
  const auto archive = scratch_path("none.npz");
  const auto result = run_command(kRun + std::string("--d-out ") + d_out + " -o " + archive, emulator());
  CHECK(result.status == 1);
  CHECK(result.error.find("d_out is f16 [1, 20, 2, 8]") != std::string::npos);
  CHECK_FALSE(std::ifstream(archive).good());
}

TEST_CASE("command: demo runs gradients beside attention") {
  const auto manifest = scratch_path("gradients.json");
  std::ofstream(manifest) << R"json({"kernels": [{
    "name": "tiny", "shape": {"batch": 1, "heads": 2, "seqlen_q": 20},
    "config": {"direction": ["forward", "backward"], "head_dim": 16, "bias": "alibi()"}}]})json";
  const auto result = run_command("demo --json --manifest " + manifest, emulator());
  INFO(result.error);
  REQUIRE(result.status == 0);
  const auto models = nlohmann::json::parse(result.out)["models"];
  REQUIRE(models.size() == 2);
  for (const auto& model : models) CHECK(model["passed"] == true);
  CHECK(models[1]["name"] == "tiny, direction=backward");
}
