#include "tests/tools/command.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "flashbias/version.hpp"
#include "tests/file_text.hpp"

using flashbias::testing::run_command;
using flashbias::testing::scratch_path;

namespace {

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("command: version and help") {
  CHECK(run_command("--version").out == "flashbias " FLASHBIAS_VERSION "\n");
  for (const std::string verb :
       {"emit",         "explain",     "compile",     "precompile",   "cache",       "cache list",
        "cache verify", "cache clear", "cache show",  "cache prune",  "cache stats", "pack",
        "pack create",  "pack list",   "pack verify", "pack extract", "pack merge",  "run",
        "decompose",    "tune",        "doctor",      "demo"}) {
    const auto help = run_command(verb + " --help");
    INFO(verb);
    CHECK(help.status == 0);
    CHECK(contains(help.out, "Usage: flashbias " + verb));
  }
}

TEST_CASE("command: what is no command line is a usage error") {
  for (const char* line : {"", "frobnicate", "explain --rnk 3", "precompile --arch sm_80", "explain --rank x"}) {
    const auto result = run_command(line);
    INFO(line);
    CHECK(result.status == 2);
    CHECK(result.error.starts_with("flashbias: error: "));
  }
}

TEST_CASE("command: what there is none of is told from what there is, with the help to read") {
  const std::string pack_verbs = "expected one of create, list, verify, extract, merge";
  CHECK(contains(run_command("pack").error, pack_verbs + " next; see `flashbias pack --help`"));
  CHECK(contains(run_command("pack frobnicate").error, "there is no 'frobnicate'; " + pack_verbs));
  CHECK(contains(run_command("cache lst").error,
                 "there is no 'lst'; did you mean \"list\"?; see `flashbias cache --help`"));
  CHECK(contains(run_command("cache list --cahce x").error,
                 "there is no --cahce; did you mean \"--cache\"?; see `flashbias cache list --help`"));
  CHECK(contains(run_command("explain --headdim=64").error, "there is no --headdim; did you mean \"--head-dim\"?"));
  CHECK(contains(run_command("cache list extra").error, "unexpected 'extra'; see `flashbias cache list --help`"));
  CHECK(contains(run_command("pack list").error, "pack is required; see `flashbias pack list --help`"));
}

TEST_CASE("command: emit prints a formatted source, and says why where it cannot") {
  const std::string emit = "emit --bias alibi --arch sm_80";
  const auto formatted = run_command(emit, FLASHBIAS_HAS_FORMATTER ? "" : "FLASHBIAS_FORMATTER=/nonexistent.so");
  CHECK(formatted.status == 0);
  CHECK(formatted.error.empty() == bool{FLASHBIAS_HAS_FORMATTER});
  CHECK(contains(formatted.out, "bias=\"alibi()\""));

  const auto plain = run_command(emit + " --no-format");
  CHECK(plain.status == 0);
  CHECK(plain.error.empty());
  CHECK((plain.out != formatted.out) == bool{FLASHBIAS_HAS_FORMATTER});

  const auto without = run_command(emit, "FLASHBIAS_FORMATTER=/nonexistent.so");
  CHECK(without.status == 0);
  CHECK(without.out == plain.out);
  CHECK(contains(without.error, "unformatted source: /nonexistent.so"));
  CHECK(contains(without.error, "libclang-14-dev"));
}

TEST_CASE("command: emit -o writes the same text, or says that it cannot") {
  const std::string emit = "emit --no-format --arch sm_80";
  const auto path = scratch_path("kernel.cu");
  CHECK(run_command(emit + " -o " + path).out.empty());
  CHECK(flashbias::testing::file_text(path) == run_command(emit).out);

  const auto failed = run_command(emit + " -o /nonexistent/kernel.cu");
  CHECK(failed.status == 1);
  CHECK(contains(failed.error, "cannot write /nonexistent/kernel.cu: No such file or directory"));

  // Where no file may grow beyond 4 KiB, what was there stays, and nothing else does.
  const auto kept = flashbias::testing::file_text(path);
  const auto full = run_command(emit + " --causal -o " + path, "env --ignore-signal=XFSZ prlimit --fsize=4096");
  CHECK(full.status == 1);
  CHECK(contains(full.error, "File too large"));
  CHECK(flashbias::testing::file_text(path) == kept);
  for (const auto& file : std::filesystem::directory_iterator(std::filesystem::path(path).parent_path()))
    CHECK(file.path().extension() != ".part");
  CHECK(run_command(emit + " -o /dev/stdout").out == kept);
  CHECK(contains(run_command(emit + " -o /").error, "cannot write /: Is a directory"));
  CHECK(contains(run_command(emit + " -o \"\"").error, "--output: it is empty"));
}

TEST_CASE("command: explain --passes prints the bias after each pass") {
  const auto result = run_command("explain --bias alibi --arch sm_80 --passes");
  CHECK(result.status == 0);
  CHECK(contains(result.out, "bias as typed\n    addend            alibi()"));
  CHECK(contains(result.out, "hoisting: "));
  const auto json = nlohmann::json::parse(run_command("explain --bias alibi --arch sm_80 --passes --json").out);
  CHECK(json.at("bias").at(0).at("expression") == "alibi()");
  for (const auto& pass : json.at("passes"))
    CHECK(contains(result.out, pass.at("name").get<std::string>() + ": " + pass.at("purpose").get<std::string>()));
}

TEST_CASE("command: explain --json is JSON") {
  const auto result = run_command("explain --bias alibi --arch sm_80 --json");
  CHECK(nlohmann::json::accept(result.out));
}

TEST_CASE("command: compile fills the cache, which lists, verifies and clears") {
  const std::string cache = " --cache '" + scratch_path("own_cache") + "'";
  const auto compile = "compile --head-dim 16 --arch sm_80 --json" + cache;
  const auto first = nlohmann::json::parse(run_command(compile).out);
  CHECK(first["registers"].get<int>() > 0);
  CHECK(first["cached"] == false);
  const auto second = nlohmann::json::parse(run_command(compile).out);
  CHECK(second["cached"] == true);
  CHECK(second["key"] == first["key"]);

  const auto listed = nlohmann::json::parse(run_command("cache list --json" + cache).out);
  REQUIRE(listed["entries"].size() == 1);
  CHECK(listed["entries"][0]["key"] == first["key"]);
  CHECK(run_command("cache verify" + cache).status == 0);

  const auto entry = std::filesystem::path(scratch_path("own_cache")) / first["key"].get<std::string>();
  std::ofstream(entry / "kernel.cubin", std::ios::app) << "x";
  const auto verified = run_command("cache verify" + cache);
  CHECK(verified.status == 1);
  CHECK(contains(verified.error, "1 of 1 entries are bad"));

  CHECK(nlohmann::json::parse(run_command("cache clear --json" + cache).out)["removed"] == 1);
  CHECK(nlohmann::json::parse(run_command("cache list --json" + cache).out)["entries"].empty());
}

TEST_CASE("command: run and demo without a GPU") {
  const auto run = run_command("run --bias alibi --arch sm_80");
  CHECK(run.status == 1);
  CHECK(contains(run.error, "/nonexistent/libcuda.so.1"));

  const auto manifest = scratch_path("one.json");
  std::ofstream(manifest) << R"({"kernels": [{"name": "tiny", "config": "head_dim=16"}]})";
  const auto demo = run_command("demo --manifest " + manifest);
  CHECK(demo.status == 0);
  CHECK(contains(demo.out, "tiny"));
  CHECK(contains(demo.out, "nothing is run"));
}

TEST_CASE("command: what a direction has no use for is an error") {
  CHECK(contains(run_command("tune --direction backward --arch sm_80 --bias alibi").error,
                 "alibi(): there is nothing to tune with direction=backward"));
  CHECK(contains(run_command("run --arch sm_80 --d-out x.npy").error, "--d-out is of the backward pass"));
  CHECK(contains(run_command("run --direction backward --arch sm_80 -o x.npy").error,
                 "--output x.npy: several gradients need an archive; name it FILE.npz"));
}

TEST_CASE("command: doctor says what is missing and fails nothing") {
  const auto result = run_command("doctor --json");
  CHECK(result.status == 0);
  const auto report = nlohmann::json::parse(result.out);
  CHECK(contains(report["driver"]["problem"], "/nonexistent/libcuda.so.1"));
  CHECK(contains(run_command("doctor").out, "/nonexistent/libcuda.so.1"));
}

TEST_CASE("command: tune says what it cannot heed") {
  const auto manifest = scratch_path("shapeless.json");
  std::ofstream(manifest) << R"({"kernels": [{"name": "tiny", "config": "head_dim=16"}]})";
  const auto shapeless = run_command("tune --manifest " + manifest);
  CHECK(shapeless.status == 1);
  CHECK(contains(shapeless.error, "shapeless.json has no kernel with a shape to tune it at; add one"));
  for (const std::string flag :
       {"--head-dim 32", "--bias alibi", "--arch sm_80", "--seqlen-q 64", "--config head_dim=16"}) {
    const auto ignored = run_command("tune --manifest " + manifest + " " + flag);
    INFO(flag);
    CHECK(ignored.status == 1);
    CHECK(contains(ignored.error, flag.substr(0, flag.find(' ')) + " beside --manifest"));
  }
}

TEST_CASE("command: an empty value is told, not taken for none") {
  for (const std::string line : {"emit --config", "run --config", "precompile --arch sm_80 --config", "emit --arch",
                                 "precompile --config head_dim=16 --arch", "compile --arch sm_80 --cache",
                                 "doctor --cache", "run --arch sm_80 -o", "demo --manifest"}) {
    const auto result = run_command(line + " ''");
    INFO(line);
    CHECK(result.status == 2);
    CHECK(contains(result.error, ": it is empty; leave it out or give it a value"));
  }
}

TEST_CASE("command: compile fails where the kernel did not come into the cache that it was told") {
  const auto result = run_command("compile --head-dim 16 --arch sm_80 --cache /dev/null");
  CHECK(result.status == 1);
  CHECK(contains(result.error, "the kernel is not in --cache /dev/null: "));
}
