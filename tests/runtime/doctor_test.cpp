#include "flashbias/doctor.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "flashbias/cubin.hpp"
#include "tests/cache/sample_entry.hpp"
#include "tests/errors.hpp"
#include "tests/temporary_directory.hpp"

using namespace flashbias;
using testing::says;
using testing::TemporaryDirectory;

TEST_CASE("the doctor reports the compiler that compiles and the cache that is used") {
  const TemporaryDirectory home;
  const cache::DiskStore store(home.path());
  const auto entry = testing::sample_entry("one");
  store.publish(entry);
  const auto report = doctor::examine(home.path());
  CHECK(report.compiler.problem == "");
  CHECK(report.compiler.version == compiler_version());
  CHECK(report.compiler.path.is_absolute());
  CHECK(report.cache.problem == "");
  CHECK(report.cache.directory == home.path());
  CHECK(report.cache.entries == 1);
  CHECK(report.cache.bytes == entry.cubin.size() + entry.source.size() + cache::to_json(entry.manifest).size());
  CHECK(report.devices.empty() == !report.driver.problem.empty());
}

TEST_CASE("the doctor tells why a cache cannot be used") {
  const TemporaryDirectory home;
  std::ofstream(home.path() / "file").close();
  CHECK(says(doctor::examine(home.path() / "file" / "cache").cache.problem, "cannot be written"));
  CHECK(doctor::examine(home.path() / "not yet" / "there").cache.problem == "");
  REQUIRE(chmod(home.path().c_str(), 0777) == 0);
  CHECK(says(doctor::examine(home.path()).cache.problem, "mode 0777"));
}

TEST_CASE("a report reads the same as text and as JSON") {
  doctor::Report report;
  report.compiler = {
      .path = "/cuda/libnvrtc.so.13", .version = "13.0+65be", .supported_archs = {80, 90}, .problem = {}};
  report.driver = {.path = "/lib/libcuda.so.1", .version = "13.0", .problem = {}};
  report.devices = {{.ordinal = 0, .name = "H100", .major = 9, .minor = 0, .arch = Arch{90}, .problem = {}},
                    {.ordinal = 1, .name = "T4", .major = 7, .minor = 5, .arch = {}, .problem = "older than Ampere"}};
  report.cache = {.directory = "/cache", .entries = 3, .bytes = 4096, .problem = {}};
  report.formatter = {.problem = "no LLVM"};
  CHECK(to_string(report) ==
        "NVRTC      13.0+65be (/cuda/libnvrtc.so.13), compiles for sm_80, sm_90\n"
        "driver     for CUDA 13.0 (/lib/libcuda.so.1)\n"
        "GPU 0      H100, compute capability 9.0, kernels for sm_90a\n"
        "GPU 1      T4, compute capability 7.5, older than Ampere\n"
        "cache      /cache, 3 entries, 4096 bytes\n"
        "formatter  no LLVM\n");
  const auto json = nlohmann::json::parse(to_json(report));
  CHECK(json["compiler"]["version"] == "13.0+65be");
  CHECK(json["compiler"]["supported_archs"] == nlohmann::json({80, 90}));
  CHECK(json["devices"][0]["arch"] == "sm_90a");
  CHECK(json["devices"][1]["arch"].is_null());
  CHECK(json["devices"][1]["problem"] == "older than Ampere");
  CHECK(json["cache"]["entries"] == 3);
  CHECK(json["formatter"]["problem"] == "no LLVM");
}
